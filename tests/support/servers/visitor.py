"""A person with a browser at an OpenID provider: visitor.py URL USER [deny]

Opens the address, signs in as USER (whatever the provider asks for), agrees, or denies, and follows all redirects, also the one
back to the program that waits on this machine. Prints the last page. Cookies and forms are Python's own."""
import html
import re
import sys
import urllib.parse

import requests


def form(page):
    action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    fields = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
    return (urllib.parse.urljoin(page.url, html.unescape(action.group(1))),
            {html.unescape(name): html.unescape(value) for name, value in fields})


def visit(url, user, deny):
    browser = requests.Session()
    page = browser.get(url, timeout=20)
    for _ in range(15):
        cancel = re.search(r'href="([^"]*/abort[^"]*)"', page.text)
        if deny and cancel:
            page = browser.get(urllib.parse.urljoin(page.url, html.unescape(cancel.group(1))), timeout=20)
        elif 'name="prompt"' in page.text:
            target, fields = form(page)
            if fields.get('prompt') == 'login':
                fields.update(login=user, password='anything')
            page = browser.post(target, data=fields, timeout=20)
        elif 'op.deviceConfirmForm' in page.text:
            target, fields = form(page)
            fields['abort' if deny else 'confirm'] = 'yes'
            page = browser.post(target, data=fields, timeout=20)
        elif 'document.forms[0].submit()' in page.text:
            target, fields = form(page)
            page = browser.post(target, data=fields, timeout=20)
        else:
            break
    print(page.status_code, page.url.split('?')[0])
    print(re.sub(r'<[^>]+>', ' ', page.text))


visit(sys.argv[1], sys.argv[2], 'deny' in sys.argv[3:])
