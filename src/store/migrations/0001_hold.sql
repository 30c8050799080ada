-- Parts of a plan that wait for the user's word. Losing them is safe: the next round holds the same again.
CREATE TABLE hold (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    reason TEXT NOT NULL,
    created INTEGER NOT NULL,
    round INTEGER NOT NULL REFERENCES round (id)
) STRICT;

-- The operations of a hold. A hold never grows: the user approves what was shown.
CREATE TABLE held (
    class TEXT NOT NULL,
    key TEXT NOT NULL,
    hold INTEGER NOT NULL REFERENCES hold (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,   -- what the operation is about: held back whole, not in parts
    text TEXT NOT NULL,      -- for the person
    digest TEXT NOT NULL,    -- of what would be written
    PRIMARY KEY (class, key)
) STRICT;

CREATE INDEX held_hold ON held (hold);

-- The operations that the user has allowed, each by its exact key and digest. Losing it means being asked again.
CREATE TABLE approval (
    class TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (class, key)
) STRICT, WITHOUT ROWID;
