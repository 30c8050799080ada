-- Names to which something happened since messages were last decided over: whatever is called so, or refers to it, is decided over
-- again. Losing it means that an answer to what was just filed is not noticed before the rules change.
CREATE TABLE touched (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TRIGGER touched_link_insert AFTER INSERT ON link WHEN NEW.class = 'email' BEGIN
    INSERT INTO touched (name) VALUES (NEW.uid) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER touched_link_update AFTER UPDATE ON link
WHEN NEW.class = 'email' AND (NEW.item <> OLD.item OR NEW.uid <> OLD.uid OR NEW.gone <> OLD.gone) BEGIN
    INSERT INTO touched (name) VALUES (NEW.uid) ON CONFLICT DO NOTHING;
END;
-- A linked message may never have been decided over.
CREATE TRIGGER touched_link_delete AFTER DELETE ON link WHEN OLD.class = 'email' BEGIN
    INSERT INTO touched (name) VALUES (OLD.uid) ON CONFLICT DO NOTHING;
    INSERT INTO decision (class, item, outcome, rule, round, at)
        SELECT class, id, 'pending', 'it was linked', seen_round, 0 FROM observation
        WHERE side = 'mailbox' AND class = 'email' AND id = OLD.item
        ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER touched_mark_insert AFTER INSERT ON mark WHEN NEW.class = 'email' BEGIN
    INSERT INTO touched (name) VALUES (NEW.uid) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER touched_mark_update AFTER UPDATE ON mark WHEN NEW.class = 'email' BEGIN
    INSERT INTO touched (name) VALUES (NEW.uid) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER touched_mark_delete AFTER DELETE ON mark WHEN OLD.class = 'email' BEGIN
    INSERT INTO touched (name) VALUES (OLD.uid) ON CONFLICT DO NOTHING;
END;
