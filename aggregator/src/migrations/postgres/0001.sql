-- SPDX-License-Identifier: MIT OR Apache-2.0
-- The store of the counts in PostgreSQL. "public" columns are published in the counts dataset, "private" ones never leave the server.
--
-- Beside these tables there is one `seen_N (id uuid PRIMARY KEY)` for every open week number N, made and dropped whole by the
-- program; its column is private. Rows are rewritten in the order of their keys by the program, so that neither their place nor the
-- hidden columns xmin and xmax remember the order of arrival: see docs/aggregator.md.

CREATE TABLE stipple.meta (
    key   text NOT NULL PRIMARY KEY,
    value text NOT NULL
);
COMMENT ON COLUMN stipple.meta.key IS 'private: "phase", "open_from" or "schema"';
COMMENT ON COLUMN stipple.meta.value IS 'private: production or testing; the number of the oldest open week; the number of the last migration';

CREATE TABLE stipple.received (
    metric     text    NOT NULL,
    definition bytea   NOT NULL,
    week       integer NOT NULL,
    reports    bigint  NOT NULL,
    PRIMARY KEY (metric, definition, week)
) WITH (fillfactor = 50);
COMMENT ON TABLE stipple.received IS 'how many reports were counted';
COMMENT ON COLUMN stipple.received.metric IS 'public: the metric''s id';
COMMENT ON COLUMN stipple.received.definition IS 'public: the 16 bytes of the definition''s hash';
COMMENT ON COLUMN stipple.received.week IS 'public: the week''s number, 0 for the week of 1970-01-05';
COMMENT ON COLUMN stipple.received.reports IS 'public: the number of reports';

CREATE TABLE stipple.counts (
    metric     text    NOT NULL,
    definition bytea   NOT NULL,
    week       integer NOT NULL,
    cell       integer NOT NULL,
    count      bigint  NOT NULL,
    PRIMARY KEY (metric, definition, week, cell)
) WITH (fillfactor = 50);
COMMENT ON TABLE stipple.counts IS 'how many reports support each cell of the metric''s mechanism';
COMMENT ON COLUMN stipple.counts.metric IS 'public: the metric''s id';
COMMENT ON COLUMN stipple.counts.definition IS 'public: the 16 bytes of the definition''s hash';
COMMENT ON COLUMN stipple.counts.week IS 'public: the week''s number';
COMMENT ON COLUMN stipple.counts.cell IS 'public: the cell, from 0';
COMMENT ON COLUMN stipple.counts.count IS 'public: the reports that support it';
