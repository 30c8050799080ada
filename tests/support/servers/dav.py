"""A client of a DAV server, driven by JSON: {user, password, requests: [{method, url, headers, body}]} in, a list of
{status, headers, body} out. Bytes travel as characters of the same number."""
import base64, http.client, json, sys, urllib.parse

order = json.load(sys.stdin)
basic = base64.b64encode(('%s:%s' % (order['user'], order['password'])).encode()).decode()
connections = {}


def send(request):
    url = urllib.parse.urlsplit(request['url'])
    if url.netloc not in connections:
        connections[url.netloc] = http.client.HTTPConnection(url.netloc)
    connection = connections[url.netloc]
    headers = {'Authorization': 'Basic ' + basic, **dict(request['headers'])}
    connection.request(request['method'], url.path or '/', request['body'].encode('latin-1') or None, headers)
    response = connection.getresponse()
    return {
        'status': response.status,
        'headers': [(name.lower(), value) for name, value in response.getheaders()],
        'body': response.read().decode('latin-1'),
    }


json.dump([send(request) for request in order['requests']], sys.stdout)
