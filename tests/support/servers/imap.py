"""An IMAP client, driven by lines of JSON: {port, user, password, steps: [{do, folder, ...}]} in, a list of answers out, or what
went wrong. A connection each. Bytes travel as characters of the same number."""
import imaplib, json, re, socket, sys, traceback

imaplib._MAXLINE = 10_000_000
client = None


class Client(imaplib.IMAP4):
    """Without the 40 ms that both ends wait for each other, where lines are written in pieces."""

    def open(self, *args):
        super().open(*args)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def readline(self):
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return super().readline()


def good(answer):
    assert answer[0] == 'OK', answer
    return answer[1]


def quoted(name):
    return '"' + name.replace('\\', '\\\\').replace('"', '\\"') + '"'


def select(step):
    good(client.select(quoted(step['folder'])))


def uids(step):
    found = [str(seen['uid']) for seen in list_(step) if seen['message_id'] == step['message_id']]
    assert found, 'no message %s in %s' % (step['message_id'], step['folder'])
    return ','.join(found)


def append(step):
    for message in step['messages']:
        good(client.append(quoted(step['folder']), '(' + step['flags'] + ')', None, message.encode('latin-1')))


def folders(step):
    names = []
    for line in good(client.list()):
        # What has folders below it and is none itself (RFC 5258).
        attributes = (line[0] if isinstance(line, tuple) else line or b'').split(b')')[0].lower()
        if b'\\nonexistent' in attributes or b'\\noselect' in attributes:
            continue
        # Names that do not fit into a quoted string come as a literal.
        name = line[1] if isinstance(line, tuple) else line and re.search(rb'\) (?:"[^"]*"|NIL) (.*)$', line).group(1)
        if name:
            name = name.decode()
            names.append(re.sub(r'\\(.)', r'\1', name[1:-1]) if name.startswith('"') else name)
    return sorted(names)


def clear(step):
    select(step)
    good(client.store('1:*', '+FLAGS', '(\\Deleted)')) if client.untagged_responses['EXISTS'][-1] != b'0' else None
    good(client.expunge())


def flag(step):
    good(client.uid('STORE', uids(step), '+FLAGS' if step['set'] else '-FLAGS', '(' + step['flags'] + ')'))


def delete(step):
    found = uids(step)
    good(client.uid('STORE', found, '+FLAGS', '(\\Deleted)'))
    good(client.uid('EXPUNGE', found))


def move(step):
    good(client.uid('MOVE', uids(step), quoted(step['to'])))


def create(step):
    return client.create(quoted(step['folder']))[0] == 'OK'


def drop(step):
    good(client.delete(quoted(step['folder'])))


def rename(step):
    good(client.rename(quoted(step['folder']), quoted(step['to'])))


def list_(step):
    select(step)
    seen = []
    for part in good(client.uid('FETCH', '1:*', '(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])')):
        if isinstance(part, tuple):
            head, header = part[0].decode(), part[1].decode('latin-1')
            flags = re.search(r'FLAGS \(([^)]*)\)', head).group(1).split()
            id_ = re.search(r'(?is)message-id:\s*(\S+)', header)
            seen.append({
                'uid': int(re.search(r'UID (\d+)', head).group(1)),
                'message_id': id_.group(1) if id_ else '',
                'flags': sorted(flag for flag in flags if flag.lower() != '\\recent'),
            })
    return seen


def fetch(step):
    select(step)
    return good(client.uid('FETCH', str(step['uid']), '(BODY.PEEK[])'))[0][1].decode('latin-1')


def bodies(step):
    select(step)
    parts = good(client.uid('FETCH', '1:*', '(BODY.PEEK[])'))
    return [part[1].decode('latin-1') for part in parts if isinstance(part, tuple)]


actions = {'append': append, 'flag': flag, 'delete': delete, 'move': move, 'create': create, 'drop': drop,
           'rename': rename, 'list': list_, 'fetch': fetch, 'folders': folders, 'clear': clear,
           'bodies': bodies}
for line in sys.stdin:
    try:
        order = json.loads(line)
        client = Client('127.0.0.1', order['port'], timeout=60)
        client.login(order['user'], order['password'])
        answer = [actions[step['do']](step) for step in order['steps']]
        client.logout()
    except Exception:
        answer = {'failed': traceback.format_exc()}
    print(json.dumps(answer), flush=True)
