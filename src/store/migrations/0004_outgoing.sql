-- Mails on their way out: frozen before the first byte leaves, kept for good as the answer to "was it sent?". Losing a row of a
-- mail that is on its way leaves only the mailbox and the person to tell: back it up.
CREATE TABLE outgoing (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    record TEXT NOT NULL UNIQUE,
    uid TEXT NOT NULL,           -- the Message-ID, the same however often the mail is frozen
    title TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,    -- the envelope: addresses, one a line, blind copies among them
    message BLOB NOT NULL,       -- as it goes over the wire; empty once nothing more is to be done with it
    state TEXT NOT NULL CHECK (state IN ('ready', 'sending', 'unknown', 'sent', 'refused')),
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    failures INTEGER NOT NULL,   -- how often it was given up: each is told on its own
    due INTEGER NOT NULL,        -- not to be tried before; 0: at once
    copied INTEGER NOT NULL CHECK (copied IN (0, 1)),  -- whether nothing is left to do in the mailbox,
    told INTEGER NOT NULL CHECK (told IN (0, 1)),      -- and in the CRM
    since INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX outgoing_open ON outgoing (id) WHERE copied = 0 OR told = 0;
