-- What could not be read is read again the next time, and must be found without looking at everything.
CREATE INDEX observation_unread ON observation (side, class, id) WHERE version = 'unread';
