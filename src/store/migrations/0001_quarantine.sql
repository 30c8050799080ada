-- Items set aside because they could not be read or written, with the reason. Losing it means that they are tried again.
CREATE TABLE quarantine (
    side TEXT NOT NULL CHECK (side IN ('mailbox', 'crm')),
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    id TEXT NOT NULL,
    version TEXT NOT NULL,
    reason TEXT NOT NULL,
    hint TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (side, class, id)
) STRICT, WITHOUT ROWID;
