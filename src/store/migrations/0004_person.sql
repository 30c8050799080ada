-- Addresses of which it is not known whose they are, and what the user said. Losing it loses the user's word: back it up.
CREATE TABLE person (
    address TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('several', 'new')), -- it may be any of the candidates; or nobody there has it
    choice TEXT NOT NULL DEFAULT '',                       -- a record, or 'none': nobody, for good; empty: not chosen
    noted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who may be behind such an address, as the CRM told it last.
CREATE TABLE candidate (
    address TEXT NOT NULL REFERENCES person (address) ON DELETE CASCADE,
    record TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (address, record)
) STRICT, WITHOUT ROWID;

-- Messages that were filed with such an address and nobody behind it.
CREATE TABLE unresolved (
    address TEXT NOT NULL,
    record TEXT NOT NULL,
    refused TEXT NOT NULL DEFAULT '', -- why it stays so, although the user chose
    PRIMARY KEY (address, record)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER settled_person_update AFTER UPDATE OF choice ON person BEGIN DELETE FROM settled; END;
