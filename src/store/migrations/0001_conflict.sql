-- What both sides changed differently, with both values. Losing it loses the values that lost: back it up.
CREATE TABLE conflict (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    link INTEGER NOT NULL,                -- not a reference: the losing value outlives the link
    field TEXT NOT NULL,                  -- '*' when one side was deleted
    mailbox TEXT NOT NULL,                -- JSON; '' for no value, and for the deleted side
    crm TEXT NOT NULL,
    winner TEXT NOT NULL DEFAULT '' CHECK (winner IN ('', 'mailbox', 'crm')),
    choice TEXT NOT NULL DEFAULT '' CHECK (choice IN ('', 'mailbox', 'crm')), -- what the user wants, until it is carried out
    created INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT -1,  -- -1 while it is open
    round INTEGER NOT NULL REFERENCES round (id)
) STRICT;

CREATE UNIQUE INDEX conflict_open ON conflict (link, field) WHERE settled = -1;
CREATE INDEX conflict_link ON conflict (link);
CREATE INDEX conflict_choice ON conflict (choice) WHERE choice <> '';
