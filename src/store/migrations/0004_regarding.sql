-- The record that a message is about, by the user's word. Losing it loses the user's word where it is not carried out yet:
-- back it up.
CREATE TABLE regarding (
    uid TEXT NOT NULL PRIMARY KEY,   -- the message's global name: the word may come before it is filed
    target TEXT NOT NULL,            -- table/id; '' for nothing
    done INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER settled_regarding_insert AFTER INSERT ON regarding BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_regarding_update AFTER UPDATE ON regarding BEGIN DELETE FROM settled; END;
