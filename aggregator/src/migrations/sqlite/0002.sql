-- SPDX-License-Identifier: MIT OR Apache-2.0
-- Which counts of other stores were added to this one, so that none is added twice. The store's own name is in `meta`, under "id".

CREATE TABLE imports (
    source TEXT    NOT NULL, -- public: the random name of the store that counted
    week   INTEGER NOT NULL, -- public: a week of which its counts were added
    PRIMARY KEY (source, week)
) STRICT, WITHOUT ROWID;

INSERT INTO meta VALUES ('id', lower(hex(randomblob(16))));
