-- "Rmra": what tells this file from any other SQLite database.
PRAGMA application_id = 0x526D7261;

-- AUTOINCREMENT, here and below: a sequence number is never given out twice,
-- not even that of the last row after it was deleted. Order and cursors rest on
-- it, and so do not depend on the wall clock.
CREATE TABLE jobs (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  name     TEXT NOT NULL UNIQUE,
  arn      TEXT NOT NULL,
  fields   TEXT NOT NULL, -- JSON, see jobFields
  document BLOB           -- as the API gave it, byte for byte
) STRICT;

-- No reference to jobs: a job's runs outlive it.
CREATE TABLE runs (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL UNIQUE,
  job      TEXT NOT NULL,
  state    TEXT NOT NULL,
  open     INTEGER NOT NULL, -- 1 until the run has ended
  fields   TEXT NOT NULL,    -- JSON, see runFields
  handle   BLOB,             -- as the provider gave it, byte for byte
  document BLOB              -- as the API gave it, byte for byte
) STRICT;

-- An index ends in the row's seq by itself: this one is (job, seq), the next
-- (job, state, seq).
CREATE INDEX runs_by_job ON runs (job);
CREATE INDEX runs_open ON runs (job, state) WHERE open = 1;

CREATE TABLE tags (
  arn   TEXT NOT NULL,
  key   TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (arn, key)
) STRICT, WITHOUT ROWID;
