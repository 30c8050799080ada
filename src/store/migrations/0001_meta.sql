-- Whom this store belongs to (organisation, user, mailbox) and a few facts that outlive a round.
-- Losing it loses the guard against mixing up two organisations or mailboxes: they must be confirmed again.
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
