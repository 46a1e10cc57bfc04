-- SPDX-License-Identifier: MIT OR Apache-2.0
-- The state of one workstation. Migrations are append-only: never edit this file once it has shipped.

-- One row about the workstation itself.
CREATE TABLE workstation (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    consent       INTEGER NOT NULL,  -- 1 while the user's answer is yes
    observed_from INTEGER NOT NULL,  -- the first whole week since that yes
    latest_week   INTEGER NOT NULL,  -- the latest week ever accepted: time never runs backwards for the budget
    doubted_since INTEGER,           -- Unix seconds: when the clock began to be more than an epoch ahead of that
    phase         TEXT    NOT NULL   -- production or testing: a drill's clock must not meet a real budget
);

-- An epoch whose metrics and slots were drawn, with the budget that held then.
CREATE TABLE epoch (
    epoch      INTEGER PRIMARY KEY,  -- the epoch's number
    cap_micros INTEGER NOT NULL      -- what it may spend, in millionths of epsilon
);

-- The rotating panel: the metrics drawn for an epoch, each with its week. Drawn once, never again.
CREATE TABLE slot (
    epoch      INTEGER NOT NULL,
    metric     TEXT    NOT NULL,
    definition BLOB    NOT NULL,     -- the definition's hash when the slot was drawn
    week       INTEGER NOT NULL,
    outcome    TEXT    NOT NULL DEFAULT 'waiting' CHECK (outcome IN ('waiting', 'reported', 'forfeited')),
    PRIMARY KEY (epoch, metric)
) WITHOUT ROWID;

-- The ledger: what was spent, for which metric, in which epoch. The key allows each metric once an epoch.
CREATE TABLE spend (
    epoch          INTEGER NOT NULL,
    metric         TEXT    NOT NULL,
    epsilon_micros INTEGER NOT NULL,
    week           INTEGER NOT NULL,
    PRIMARY KEY (epoch, metric)
) WITHOUT ROWID;

-- Tallies, as dictionary symbols and numbers; a recorded text is never stored.
CREATE TABLE tally (
    metric TEXT    NOT NULL,
    week   INTEGER NOT NULL,
    key    INTEGER NOT NULL,         -- the symbol, or 0 where the tally is one number
    number INTEGER NOT NULL,
    PRIMARY KEY (metric, week, key)
) WITHOUT ROWID;

-- Randomised reports, ready to leave: the exact bytes.
CREATE TABLE outbox (
    id         BLOB    PRIMARY KEY,  -- the report's id
    metric     TEXT    NOT NULL,
    week       INTEGER NOT NULL,
    report     BLOB    NOT NULL,
    send_after INTEGER NOT NULL,     -- Unix seconds: a random moment of the sending window
    outcome    TEXT    NOT NULL DEFAULT 'waiting' CHECK (outcome IN ('waiting', 'sent', 'refused'))
) WITHOUT ROWID;

-- How many events were dropped, by reason. No event, and nothing of one, is kept.
CREATE TABLE dropped (
    reason TEXT PRIMARY KEY,
    events INTEGER NOT NULL
) WITHOUT ROWID;
