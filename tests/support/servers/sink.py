"""A mail server that keeps what it is sent, from aiosmtpd, with faults by the local part of the recipient:
temp@ 451, perm@ 550, slow@ answers after --slow seconds, drop@ takes the message and hangs up without an answer.

sink.py --port N --folder DIR [--tls-port N --certificate PEM --key PEM] [--auth USER --password TEXT] [--slow SECONDS]

Every message that was taken is DIR/000001.eml and so on, below the two lines X-Envelope-From and X-Envelope-To."""
import argparse, asyncio, itertools, pathlib, ssl

from aiosmtpd.smtp import SMTP, AuthResult

parser = argparse.ArgumentParser()
parser.add_argument('--port', type=int, required=True)
parser.add_argument('--folder', type=pathlib.Path, required=True)
parser.add_argument('--tls-port', type=int)
parser.add_argument('--certificate')
parser.add_argument('--key')
parser.add_argument('--auth')
parser.add_argument('--password')
parser.add_argument('--slow', type=float, default=10)
options = parser.parse_args()
numbers = itertools.count(len(list(options.folder.glob('*.eml'))) + 1)


def names(addresses):
    return {address.split('@')[0] for address in addresses}


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith('temp@'):
            return '451 4.2.0 try again later'
        if address.startswith('perm@'):
            return '550 5.1.1 nobody of that name'
        envelope.rcpt_tos.append(address)
        return '250 2.1.5 fine'

    async def handle_DATA(self, server, session, envelope):
        if 'slow' in names(envelope.rcpt_tos):
            await asyncio.sleep(options.slow)
        number = next(numbers)
        head = 'X-Envelope-From: %s\r\nX-Envelope-To: %s\r\n' % (envelope.mail_from, ','.join(envelope.rcpt_tos))
        part = options.folder / ('%06d.part' % number)
        part.write_bytes(head.encode() + envelope.content)
        part.rename(part.with_suffix('.eml'))
        if 'drop' in names(envelope.rcpt_tos):
            server.transport.abort()
        return '250 2.0.0 taken as %06d' % number


def authenticate(server, session, envelope, mechanism, data):
    user, password = (getattr(data, name, b'') for name in ('login', 'password'))
    return AuthResult(success=user == options.auth.encode() and password == options.password.encode(), handled=False)


async def main():
    context = None
    if options.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.certificate, options.key)

    def server(starttls):
        return SMTP(Handler(), hostname='localhost', enable_SMTPUTF8=True, data_size_limit=40 << 20,
                    tls_context=context if starttls else None,
                    authenticator=authenticate if options.auth else None,
                    auth_required=bool(options.auth), auth_require_tls=False)

    loop = asyncio.get_running_loop()
    if options.tls_port:
        await loop.create_server(lambda: server(False), '127.0.0.1', options.tls_port, ssl=context)
    await loop.create_server(lambda: server(True), '127.0.0.1', options.port)
    await asyncio.Event().wait()


asyncio.run(main())
