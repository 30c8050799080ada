"""An IMAP client of a user, driven by JSON: {port, user, password, steps: [{do, folder, ...}]} in, a list of answers out.
Bytes travel as characters of the same number."""
import imaplib, json, re, sys

imaplib._MAXLINE = 10_000_000
order = json.load(sys.stdin)
client = imaplib.IMAP4('127.0.0.1', order['port'])
client.login(order['user'], order['password'])


def good(answer):
    assert answer[0] == 'OK', answer
    return answer[1]


def quoted(name):
    return '"' + name.replace('\\', '\\\\').replace('"', '\\"') + '"'


def select(step):
    good(client.select(quoted(step['folder'])))


def uids(step):
    select(step)
    found = good(client.uid('SEARCH', 'HEADER', 'Message-ID', quoted(step['message_id'])))[0].split()
    assert found, 'no message %s in %s' % (step['message_id'], step['folder'])
    return b','.join(found).decode()


def append(step):
    for message in step['messages']:
        good(client.append(quoted(step['folder']), '(' + step['flags'] + ')', None, message.encode('latin-1')))


def flag(step):
    good(client.uid('STORE', uids(step), '+FLAGS' if step['set'] else '-FLAGS', '(' + step['flags'] + ')'))


def delete(step):
    found = uids(step)
    good(client.uid('STORE', found, '+FLAGS', '(\\Deleted)'))
    good(client.uid('EXPUNGE', found))


def move(step):
    good(client.uid('MOVE', uids(step), quoted(step['to'])))


def create(step):
    good(client.create(quoted(step['folder'])))


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


actions = {'append': append, 'flag': flag, 'delete': delete, 'move': move, 'create': create, 'drop': drop,
           'rename': rename, 'list': list_, 'fetch': fetch}
answers = [actions[step['do']](step) for step in order['steps']]
client.logout()
json.dump(answers, sys.stdout)
