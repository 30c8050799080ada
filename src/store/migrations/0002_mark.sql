-- What the user said of an item by command: track it, or leave it out. Losing it loses the user's word: back it up.
CREATE TABLE mark (
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    uid TEXT NOT NULL,       -- the item's global name: a mark outlives renames and moves
    tracked INTEGER NOT NULL CHECK (tracked IN (0, 1)),
    at INTEGER NOT NULL,
    PRIMARY KEY (class, uid)
) STRICT, WITHOUT ROWID;
