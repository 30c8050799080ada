-- What a delete removed from the mailbox, byte for byte, so that `undo` brings back all of it. Losing it loses that.
CREATE TABLE kept (
    entry INTEGER PRIMARY KEY NOT NULL REFERENCES journal (id) ON DELETE CASCADE,
    body BLOB NOT NULL
) STRICT;
