-- How far each collection has been read. Written together with what it covers. Losing it costs one complete listing.
CREATE TABLE cursor (
    side TEXT NOT NULL CHECK (side IN ('mailbox', 'crm')),
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    collection TEXT NOT NULL,
    token TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    PRIMARY KEY (side, class, collection)
) STRICT, WITHOUT ROWID;
