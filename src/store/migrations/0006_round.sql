-- What refers to a round, so that one that led to nothing is found to be such at once.
CREATE INDEX hold_round ON hold (round);
CREATE INDEX conflict_round ON conflict (round);
