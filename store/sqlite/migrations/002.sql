CREATE TABLE sessions (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL UNIQUE,
  arn      TEXT NOT NULL,
  state    TEXT NOT NULL,
  closed   INTEGER NOT NULL, -- 0 until nothing of the cluster is left
  fields   TEXT NOT NULL,    -- JSON, see sessionFields
  handle   BLOB,             -- as the provider gave it, byte for byte
  document BLOB              -- as the API gave it, byte for byte
) STRICT;

-- As in 001.sql an index ends in the row's seq: this one is (closed, seq).
CREATE INDEX sessions_open ON sessions (closed) WHERE closed = 0;

-- A statement belongs to its session's seq, not to its id, which the client
-- chooses and which a later session may have again.
CREATE TABLE statements (
  seq     INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES sessions (seq) ON DELETE CASCADE,
  id      INTEGER NOT NULL, -- within the session, from 1 on
  state   TEXT NOT NULL,
  open    INTEGER NOT NULL, -- 1 until the statement has ended
  code    TEXT NOT NULL,
  fields  TEXT NOT NULL,    -- JSON, see statementFields
  UNIQUE (session, id)
) STRICT;

CREATE INDEX statements_open ON statements (session, id) WHERE open = 1;
