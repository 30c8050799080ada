-- What belongs together. Losing it loses knowledge that neither side holds (which half was made first, which was
-- deleted and why the other stays): the pairs are found again by their names, the rest is not. Back it up.
CREATE TABLE link (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    item TEXT NOT NULL,
    record TEXT NOT NULL,
    uid TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('mailbox', 'crm')),
    gone TEXT NOT NULL DEFAULT '' CHECK (gone IN ('', 'mailbox', 'crm')), -- the half that was deleted: the link is released
    item_version TEXT NOT NULL DEFAULT '',   -- '' while something is left to settle
    record_version TEXT NOT NULL DEFAULT '',
    UNIQUE (class, item),
    UNIQUE (class, record)
) STRICT;

-- What each side of a link said when both last agreed. Losing it means that the next difference cannot be told from
-- a change on both sides: it becomes a conflict instead of an update.
CREATE TABLE base (
    link INTEGER PRIMARY KEY NOT NULL REFERENCES link (id) ON DELETE CASCADE,
    item TEXT NOT NULL,    -- JSON
    record TEXT NOT NULL   -- JSON
) STRICT;
