"""Makes up a mailbox, the same one for the same seed, straight as the files that Dovecot and Radicale keep.

Messages have the sizes and headers of a working person's mail: half of them are under 11 KB, one in eight has an
attachment. Every twentieth carries the keyword `$CrmTracked`. Smaller mailboxes are the first messages of the largest, as
hard links.
"""

import argparse
import base64
import datetime
import json
import os
import pathlib
import random
import shutil

KEYWORD = "$CrmTracked"
TRACKED_EVERY = 20

# Folders beside the inbox, with their shares of the messages in per cent; the inbox has the rest.
FOLDERS = {
    "Sent": 18, "Archive": 6, "Archive.2019": 4, "Archive.2020": 4, "Archive.2021": 4, "Archive.2022": 4,
    "Archive.2023": 4, "Archive.2024": 4, "Customers": 2, "Customers.Contoso": 4, "Customers.Fabrikam": 3,
    "Customers.Northwind": 3, "Invoices": 2, "Lists": 2, "Lists.Rust": 5, "Newsletters": 4, "Private": 1,
    "Projects": 1, "Travel": 1,
}

WORDS = """account agreement answer appointment bank budget build call change colleague contract copy customer data
date deadline delivery department design document draft estimate event feedback file follow form forward group idea
invoice item letter list meeting message minute month network note number offer office order page paper partner
payment people plan point price problem process product project proposal quarter question reason report request
result review sales schedule service site solution start status summary support system table team ticket time
tomorrow topic train travel update user value version visit week work year""".split()
FIRST = "Anna Bob Carol Dilek Emre Farah Gustav Hanna Ines Jakub Kerstin Lars Mina Nils Olga Paul Quirin Rosa Sven Tara".split()
LAST = "Adler Brandt Conti Demir Ek Fischer Gruber Holm Ivanova Jansen Keller Lund Moser Novak Olsen Petri Reis Schmidt Thoma Weber".split()
DOMAINS = ["contoso.example", "fabrikam.example", "northwind.example", "adatum.example", "example.org"]

EPOCH = datetime.datetime(2019, 1, 7, 8, 0, tzinfo=datetime.timezone.utc)


class Messages:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        words = " ".join(self.chance.choice(WORDS) for _ in range(400_000))
        self.prose = "\n".join(words[at:at + 76] for at in range(0, len(words), 76)).encode()
        noise = base64.b64encode(self.chance.randbytes(3 << 20))
        self.noise = b"\n".join(noise[at:at + 76] for at in range(0, len(noise), 76))
        self.html = b"\n".join(b'<p style=3D"margin:0;font-family:Calibri,sans-serif">' + line + b"</p>"
                               for line in self.prose[:1 << 20].split(b"\n"))

    def some(self, text, size):
        size = max(200, min(size, len(text)))
        start = self.chance.randrange(0, len(text) - size + 1)
        start = text.find(b"\n", start) + 1
        return text[start:start + size].rpartition(b"\n")[0]

    def phrase(self, count):
        return " ".join(self.chance.choice(WORDS) for _ in range(count))

    def person(self):
        first, last = self.chance.choice(FIRST), self.chance.choice(LAST)
        return f'"{first} {last}" <{first}.{last}@{self.chance.choice(DOMAINS)}>'.lower().replace('"', "")

    def message(self, number):
        chance = self.chance
        sent = EPOCH + datetime.timedelta(minutes=37 * number)
        date = sent.strftime("%a, %d %b %Y %H:%M:%S +0000")
        hexes = [f"{chance.getrandbits(64):016x}" for _ in range(6)]
        me, other = "anna <anna@example.org>", self.person()
        people = ", ".join(self.person() for _ in range(chance.choice([1, 1, 1, 2, 3, 8])))
        head = [f"Return-Path: <bounce-{hexes[0]}@mail.example>"]
        for hop in range(3):
            head.append(f"Received: from mx{hop}.mail.example (mx{hop}.mail.example [192.0.2.{hop + 1}])\n"
                        f"\tby relay{hop}.example.org (Postfix) with ESMTPS id {hexes[hop].upper()}\n"
                        f"\tfor <anna@example.org>; {date}")
        signature = "\n\t".join(base64.b64encode(chance.randbytes(54)).decode() for _ in range(5))
        head += [
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=mail.example; s=selector1;\n"
            f"\th=From:Date:Subject:Message-ID; bh={hexes[3]}; b={signature}",
            f"From: {other}", f"To: {me}" + (f", {people}" if chance.random() < 0.4 else ""),
            f"Subject: {'Re: ' if number % 3 == 0 else ''}{self.phrase(chance.randrange(2, 9))}",
            f"Date: {date}", f"Message-ID: <{number:06d}.{hexes[4]}@mail.example>",
        ]
        if number % 3 == 0:
            before = " ".join(f"<{chance.getrandbits(64):016x}.{chance.getrandbits(32)}@mail.example>"
                              for _ in range(chance.randrange(1, 6)))
            head += [f"References: {before}", f"In-Reply-To: {before.rpartition(' ')[2]}"]
        head += ["MIME-Version: 1.0", "X-Mailer: Mailer 16.0", f"X-Spam-Status: No, score=-{number % 5}.1 required=5.0\n"
                 "\ttests=[DKIM_SIGNED=0.1, DKIM_VALID=-0.1, SPF_PASS=-0.001] autolearn=ham"]
        size = min(int(chance.lognormvariate(9.3, 1.4)), 2_000_000)
        kind = chance.random()
        if kind < 0.35 or size < 1500:
            head.append("Content-Type: text/plain; charset=utf-8")
            return "\n".join(head).encode() + b"\n\n" + self.some(self.prose, size) + b"\n"
        edge = hexes[5].encode()
        mixed = kind > 0.875
        head.append(f'Content-Type: multipart/{"mixed" if mixed else "alternative"}; boundary="{edge.decode()}"')
        parts = [b"Content-Type: text/plain; charset=utf-8\n\n" + self.some(self.prose, size // 5)]
        if mixed:
            parts.append(b'Content-Type: application/pdf; name="report.pdf"\nContent-Transfer-Encoding: base64\n'
                         b'Content-Disposition: attachment; filename="report.pdf"\n\n' + self.some(self.noise, size * 3))
        else:
            parts.append(b"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
                         + self.some(self.html, size * 4 // 5))
        body = b"".join(b"--" + edge + b"\n" + part + b"\n" for part in parts) + b"--" + edge + b"--\n"
        return "\n".join(head).encode() + b"\n\n" + body


def maildir(root, folder):
    path = root / "Maildir" / (f".{folder}" if folder else "")
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True, exist_ok=True)
    (path / "dovecot-keywords").write_text(f"0 {KEYWORD}\n")
    return path


def mail(root, sizes, seed):
    """`sizes`: the mailboxes that are wanted, by user."""
    messages = Messages(seed)
    names = [name for name, share in FOLDERS.items() for _ in range(share)]
    names += [""] * (100 - len(names))
    messages.chance.shuffle(names)
    largest = sorted(sizes.items(), key=lambda pair: -pair[1])
    folders = {user: {name: maildir(root / user, name) for name in set(names)} for user in sizes}
    for number in range(largest[0][1]):
        text = messages.message(number)
        marked = "a" if number % TRACKED_EVERY == 0 else ""
        seen = "" if number % 17 == 0 else "S"
        folder = names[number % 100]
        name = f"cur/{1_546_848_000 + number * 2220}.M{number}P1.bench,S={len(text)},W={len(text) + text.count(10)}:2,{seen}{marked}"
        first = None
        for user, size in largest:
            if number >= size:
                break
            path = folders[user][folder] / name
            if first is None:
                path.write_bytes(text)
                first = path
            else:
                os.link(first, path)


def card(chance, number):
    first, last = chance.choice(FIRST), chance.choice(LAST)
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:contact-{number}@example.org", f"FN:{first} {last} {number}",
             f"N:{last} {number};{first};;;", f"ORG:{chance.choice(DOMAINS)};Sales", "TITLE:Manager",
             f"EMAIL;TYPE=INTERNET,WORK:{first}.{last}.{number}@example.com".lower(),
             f"TEL;TYPE=WORK,VOICE:+49 30 {chance.randrange(10**7):07d}", f"TEL;TYPE=CELL:+49 170 {chance.randrange(10**7):07d}",
             f"ADR;TYPE=WORK:;;Hauptstrasse {number % 200};Berlin;;{10000 + number % 4000};Germany",
             f"BDAY:19{chance.randrange(50, 99)}-0{chance.randrange(1, 9)}-1{chance.randrange(9)}",
             f"NOTE:{' '.join(chance.choice(WORDS) for _ in range(20))}", f"X-EXTRA;X-KIND=a:{number}",
             "REV:2024-05-01T10:00:00Z"]
    if number % 20 == 0:
        photo = base64.b64encode(chance.randbytes(4000)).decode()
        lines.append("PHOTO;ENCODING=b;TYPE=JPEG:" + photo)
    return lines + ["END:VCARD"]


ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:STANDARD
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZNAME:CET
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZNAME:CEST
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE""".split("\n")


def event(chance, number):
    day = datetime.date(2023, 1, 2) + datetime.timedelta(days=number % 1400)
    hour = 8 + number % 9
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Bench//Calendar 1.0//EN"] + ZONE

    def one(when, recurrence):
        found = ["BEGIN:VEVENT", f"UID:event-{number}@example.org", "DTSTAMP:20240501T100000Z"] + recurrence
        found += [f"DTSTART;TZID=Europe/Berlin:{when:%Y%m%d}T{hour:02d}0000",
                  f"DTEND;TZID=Europe/Berlin:{when:%Y%m%d}T{hour + 1:02d}0000",
                  f"SUMMARY:{' '.join(chance.choice(WORDS) for _ in range(4))} {number}", "LOCATION:Room 12",
                  f"DESCRIPTION:{' '.join(chance.choice(WORDS) for _ in range(30))}"]
        if number % 5 == 0:
            found.append("ORGANIZER;CN=Anna:mailto:anna@example.org")
            found += [f"ATTENDEE;CN={chance.choice(FIRST)};PARTSTAT=ACCEPTED:mailto:p{chance.randrange(500)}@contoso.example"
                      for _ in range(3)]
        return found + ["X-EXTRA:kept", "BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Reminder", "TRIGGER:-PT15M",
                        "END:VALARM", "END:VEVENT"]

    if number % 10:
        lines += one(day, [])
    else:
        lines += one(day, ["RRULE:FREQ=WEEKLY;COUNT=20"])
        for week in range(1, 1 + number // 10 % 4):
            when = day + datetime.timedelta(weeks=week)
            lines += one(when, [f"RECURRENCE-ID;TZID=Europe/Berlin:{when:%Y%m%d}T{hour:02d}0000"])
    return lines + ["END:VCALENDAR"]


def task(chance, number):
    return ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Bench//Calendar 1.0//EN", "BEGIN:VTODO",
            f"UID:task-{number}@example.org", "DTSTAMP:20240501T100000Z", f"SUMMARY:{chance.choice(WORDS)} {number}",
            f"DUE;VALUE=DATE:2026{1 + number % 12:02d}{1 + number % 28:02d}", f"PRIORITY:{number % 10}",
            f"DESCRIPTION:{' '.join(chance.choice(WORDS) for _ in range(15))}", "STATUS:NEEDS-ACTION", "X-EXTRA:kept",
            "END:VTODO", "END:VCALENDAR"]


def folded(lines):
    found = []
    for line in lines:
        while len(line) > 75:
            found.append(line[:75])
            line = " " + line[75:]
        found.append(line)
    return "\r\n".join(found) + "\r\n"


COLLECTIONS = {
    "contacts": ("VADDRESSBOOK", "", card, "vcf"),
    "calendar": ("VCALENDAR", "VEVENT", event, "ics"),
    "tasks": ("VCALENDAR", "VTODO", task, "ics"),
}


def collections(root, counts, seed):
    """`root`: Radicale's folder of the user's collections."""
    for collection, (tag, components, make, ending) in COLLECTIONS.items():
        chance = random.Random(f"{seed} {collection}")
        folder = root / collection
        folder.mkdir(parents=True, exist_ok=True)
        properties = {"tag": tag, "D:displayname": collection}
        if components:
            properties["C:supported-calendar-component-set"] = components
        (folder / ".Radicale.props").write_text(json.dumps(properties))
        for number in range(counts[collection]):
            (folder / f"{collection}-{number}.{ending}").write_text(folded(make(chance, number)), newline="")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--mail", type=json.loads, default={}, help='{"USER": COUNT, …}')
    parser.add_argument("--dav", type=json.loads, default={}, help='{"contacts": COUNT, …}')
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    done = wanted.dir / "generated.json"
    recipe = json.dumps([wanted.mail, wanted.dav, wanted.seed])
    if done.exists() and done.read_text() == recipe:
        return
    for part in ("mail", "dav"):
        shutil.rmtree(wanted.dir / part, ignore_errors=True)
    if wanted.mail:
        mail(wanted.dir / "mail", wanted.mail, wanted.seed)
    if wanted.dav:
        collections(wanted.dir / "dav" / "collection-root" / "anna", wanted.dav, wanted.seed)
    done.write_text(recipe)


if __name__ == "__main__":
    main()
