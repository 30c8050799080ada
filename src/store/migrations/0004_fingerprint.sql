-- What filed messages look like, whatever they are called: by this one is recognised that comes back under another Message-ID,
-- as some servers do it. Losing it means that such a message is filed once more.
CREATE TABLE fingerprint (
    uid TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL
) STRICT, WITHOUT ROWID;
