-- Classes of which nothing was left to do at the end of a round, under these settings. Losing it costs one look at what is
-- stored. Whatever a person or a round changes about what is to be done, unsettles.
CREATE TABLE settled (
    class TEXT NOT NULL PRIMARY KEY CHECK (class IN ('contact', 'task', 'appointment', 'email')),
    settings TEXT NOT NULL,
    listed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER settled_link_insert AFTER INSERT ON link BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_link_update AFTER UPDATE ON link BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_link_delete AFTER DELETE ON link BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_mark_insert AFTER INSERT ON mark BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_mark_update AFTER UPDATE ON mark BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_mark_delete AFTER DELETE ON mark BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_held_insert AFTER INSERT ON held BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_held_update AFTER UPDATE ON held BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_held_delete AFTER DELETE ON held BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_approval_insert AFTER INSERT ON approval BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_approval_update AFTER UPDATE ON approval BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_approval_delete AFTER DELETE ON approval BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_conflict_insert AFTER INSERT ON conflict BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_conflict_update AFTER UPDATE ON conflict BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_conflict_delete AFTER DELETE ON conflict BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_quarantine_insert AFTER INSERT ON quarantine BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_quarantine_update AFTER UPDATE ON quarantine BEGIN DELETE FROM settled; END;
CREATE TRIGGER settled_quarantine_delete AFTER DELETE ON quarantine BEGIN DELETE FROM settled; END;
