"""A mail program that hands messages in, driven by lines of JSON: {port, user, password, ca, messages: [{from, to, message}]} in,
a list of answers out, or what went wrong. Bytes travel as characters of the same number."""
import json, smtplib, ssl, sys, traceback

for line in sys.stdin:
    order = json.loads(line)
    try:
        context = ssl.create_default_context(cafile=order['ca'])
        with smtplib.SMTP('localhost', order['port']) as server:
            server.starttls(context=context)
            server.login(order['user'], order['password'])
            for message in order['messages']:
                server.sendmail(message['from'], message['to'], message['message'].encode('latin-1'))
        print(json.dumps([True]), flush=True)
    except Exception:
        print(json.dumps({'failed': traceback.format_exc()}), flush=True)
