PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE round (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started INTEGER NOT NULL,             -- times are microseconds since 1970
    finished INTEGER NOT NULL DEFAULT -1, -- -1 while it runs, and for ever after a crash
    trigger TEXT NOT NULL,                -- why it ran
    report TEXT NOT NULL DEFAULT ''       -- JSON
) STRICT;
CREATE TABLE observation (
    side TEXT NOT NULL CHECK (side IN ('mailbox', 'crm')),
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    id TEXT NOT NULL,
    version TEXT NOT NULL,
    uid TEXT NOT NULL DEFAULT '',
    problem TEXT NOT NULL DEFAULT '',     -- why it cannot be read; '' when it can
    seen_round INTEGER NOT NULL,
    traits TEXT NOT NULL DEFAULT '',      -- JSON
    fields TEXT NOT NULL DEFAULT '',      -- JSON; '' when not read. Last: a scan of the heads never loads it
    PRIMARY KEY (side, class, id)
) STRICT;
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
CREATE TABLE base (
    link INTEGER PRIMARY KEY NOT NULL REFERENCES link (id) ON DELETE CASCADE,
    item TEXT NOT NULL,    -- JSON
    record TEXT NOT NULL   -- JSON
) STRICT;
CREATE TABLE decision (
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    item TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('tracked', 'skipped', 'pending', 'failed')),
    rule TEXT NOT NULL,
    round INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (class, item)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    round INTEGER NOT NULL REFERENCES round (id),
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    link INTEGER NOT NULL DEFAULT 0,       -- 0 when there was none yet. Not a reference: history outlives links
    item TEXT NOT NULL DEFAULT '',
    record TEXT NOT NULL DEFAULT '',
    side TEXT NOT NULL CHECK (side IN ('mailbox', 'crm')),   -- the side that is written to
    action TEXT NOT NULL CHECK (action IN ('create', 'update', 'delete', 'mark')),
    why TEXT NOT NULL,
    before TEXT NOT NULL DEFAULT '',       -- JSON; '' when there was nothing
    after TEXT NOT NULL DEFAULT '',        -- JSON; '' when there is nothing, or it is not known
    patch TEXT NOT NULL DEFAULT '{}',      -- JSON
    expect TEXT NOT NULL DEFAULT '',       -- the version it was planned against
    result TEXT NOT NULL DEFAULT '',       -- the version it led to
    key TEXT NOT NULL,                     -- the operation's own name, the same at each attempt
    attempts INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('intended', 'done', 'refused', 'unknown', 'parked')),
    error TEXT NOT NULL DEFAULT '',
    at INTEGER NOT NULL                    -- of the last word on it
) STRICT;
CREATE INDEX journal_round ON journal (round);
CREATE INDEX journal_item ON journal (class, item);
CREATE INDEX journal_record ON journal (class, record);
CREATE INDEX journal_key ON journal (key);
CREATE INDEX journal_open ON journal (outcome) WHERE outcome IN ('intended', 'unknown');
CREATE TABLE hold (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    reason TEXT NOT NULL,
    created INTEGER NOT NULL,
    round INTEGER NOT NULL REFERENCES round (id)
) STRICT;
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
CREATE TABLE approval (
    class TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (class, key)
) STRICT, WITHOUT ROWID;
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
CREATE TABLE cursor (
    side TEXT NOT NULL CHECK (side IN ('mailbox', 'crm')),
    class TEXT NOT NULL CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    collection TEXT NOT NULL,
    token TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    PRIMARY KEY (side, class, collection)
) STRICT, WITHOUT ROWID;
INSERT INTO approval (class, key, digest, at) VALUES ('contact', 'a', 'd1', 1006000000);
INSERT INTO base (link, item, record) VALUES (1, '{"birthdate":{"date":"1980-02-29"},"firstname":"Zoë''s \"order\""}', '{"birthdate":{"date":"1980-02-29"},"firstname":"Zoë''s \"order\""}');
INSERT INTO conflict (id, link, field, mailbox, crm, winner, choice, created, settled, round) VALUES (1, 1, 'firstname', '"Zoë"', '', 'crm', '', 1007000000, 1007000000, 1);
INSERT INTO conflict (id, link, field, mailbox, crm, winner, choice, created, settled, round) VALUES (2, 2, '*', '', '{"birthdate":{"date":"1980-02-29"},"firstname":"Zoë''s \"order\""}', '', 'crm', 1008000000, -1, 1);
INSERT INTO cursor (side, class, collection, token, taken_at) VALUES ('mailbox', 'contact', 'contacts/', 'sync-1', 1010000000);
INSERT INTO decision (class, item, outcome, rule, round, at) VALUES ('contact', 'anna.vcf', 'tracked', 'category', 1, 1001000000);
INSERT INTO held (class, key, hold, subject, text, digest) VALUES ('contact', 'b', 2, 'contact/1', 'delete Anna', 'd1');
INSERT INTO hold (id, class, reason, created, round) VALUES (2, 'contact', 'many deletes', 1005000000, 1);
INSERT INTO journal (id, round, class, link, item, record, side, action, why, before, after, patch, expect, result, key, attempts, outcome, error, at) VALUES (1, 1, 'contact', 1, 'anna.vcf', 'contact/1', 'crm', 'create', 'tracked by category', '', '{"birthdate":{"date":"1980-02-29"},"firstname":"Zoë''s \"order\""}', '{"firstname":"Zoë"}', '', 'W/"7"', 'contact/create/anna', 1, 'done', '', 1003000000);
INSERT INTO journal (id, round, class, link, item, record, side, action, why, before, after, patch, expect, result, key, attempts, outcome, error, at) VALUES (2, 1, 'contact', 1, 'anna.vcf', '', 'crm', 'create', 'tracked by category', '', '', '{"firstname":"Zoë"}', '', '', 'contact/create/anna', 2, 'intended', '', 1002000000);
INSERT INTO link (id, class, item, record, uid, origin, gone, item_version, record_version) VALUES (1, 'contact', 'anna.vcf', 'contact/1', 'anna', 'mailbox', '', 'v1', '');
INSERT INTO link (id, class, item, record, uid, origin, gone, item_version, record_version) VALUES (2, 'contact', 'bert.vcf', 'contact/2', 'anna', 'crm', 'crm', 'v1', '');
INSERT INTO meta (key, value) VALUES ('mailbox', 'anna@example.org');
INSERT INTO observation (side, class, id, version, uid, problem, seen_round, traits, fields) VALUES ('mailbox', 'contact', 'anna.vcf', 'v1', 'anna', '', 1, '{"categories":["Tracked to CRM"],"private":true}', '{"birthdate":{"date":"1980-02-29"},"firstname":"Zoë''s \"order\""}');
INSERT INTO observation (side, class, id, version, uid, problem, seen_round, traits, fields) VALUES ('mailbox', 'contact', 'broken.vcf', 'v1', '', 'two UIDs', 1, '', '');
INSERT INTO quarantine (side, class, id, version, reason, hint, attempts, since) VALUES ('mailbox', 'contact', 'broken.vcf', 'v1', 'two UIDs', 'remove one', 1, 1009000000);
INSERT INTO round (id, started, finished, trigger, report) VALUES (1, 1000000000, 1060000000, 'timer', '{"created":1}');
PRAGMA application_id = 1279869267;
PRAGMA user_version = 1;
COMMIT;
