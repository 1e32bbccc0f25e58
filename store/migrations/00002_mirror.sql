-- The mirror: the rows of an organization's conversations, of claims and others.
-- change numbers the changes of a connection's rows in the order of their commits:
-- mirrors.change is the last number, and mirrors.widened_at is when a source last
-- selected more than the sources before it. first_change is the change that stored a row.
-- directory.history says that the first import of the directory stored it. figures, figure_events and conversation_tags are
-- computed from the other rows; durations are microseconds, NULL if unknown.
-- conversations.figures_due says that they are to be computed again, and
-- messages_due that Dixa has messages that are not known here. notes_due says that an
-- export counts more notes than are known, and notes_read is that number when they were
-- last read. activities.pending says that a sweep has to reconcile an entry, tried_at
-- is when it was last postponed. A row of messages or activities without one in
-- conversations came before its conversation.

-- +goose Up

CREATE TABLE mirrors (
    connection_id   TEXT PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    change          BIGINT NOT NULL DEFAULT 0,
    widened_at      BIGINT NOT NULL DEFAULT 0,
    forgotten       BIGINT NOT NULL DEFAULT 0,
    exports_token   BYTEA,
    exports_hash    TEXT NOT NULL DEFAULT '',
    exports_preview TEXT NOT NULL DEFAULT ''
);

CREATE TABLE mirrored_conversations (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id BIGINT NOT NULL,
    status          TEXT NOT NULL,
    assignee_id     TEXT NOT NULL,
    queue_id        TEXT NOT NULL,
    closed_since    BIGINT NOT NULL,
    refreshed_at    BIGINT NOT NULL DEFAULT 0,
    doubt_at        BIGINT NOT NULL DEFAULT 0,
    figures_due     BOOLEAN NOT NULL DEFAULT FALSE,
    messages_due    BOOLEAN NOT NULL DEFAULT FALSE,
    notes_due       BOOLEAN NOT NULL DEFAULT FALSE,
    notes_read      BIGINT NOT NULL DEFAULT 0,
    body            BYTEA NOT NULL,
    updated_at      BIGINT NOT NULL,
    change          BIGINT NOT NULL DEFAULT 0,
    first_change    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (connection_id, conversation_id)
);
INSERT INTO mirrored_conversations (connection_id, conversation_id, status, assignee_id, queue_id, closed_since, refreshed_at, doubt_at, figures_due, body, updated_at)
    SELECT connection_id, CAST(conversation_id AS BIGINT), status, assignee_id, queue_id, closed_since, refreshed_at, doubt_at, TRUE, body, updated_at FROM conversations;
DROP TABLE conversations;
ALTER TABLE mirrored_conversations RENAME TO conversations;
CREATE INDEX conversations_by_change ON conversations (connection_id, change);
CREATE INDEX conversations_by_first_change ON conversations (connection_id, first_change);
CREATE INDEX conversations_figures_due ON conversations (connection_id, conversation_id) WHERE figures_due;
CREATE INDEX conversations_messages_due ON conversations (connection_id, conversation_id) WHERE messages_due;
CREATE INDEX conversations_notes_due ON conversations (connection_id, conversation_id) WHERE notes_due;

CREATE TABLE mirrored_messages (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id BIGINT NOT NULL,
    id              TEXT NOT NULL,
    at              BIGINT NOT NULL,
    kind            TEXT NOT NULL DEFAULT '',
    direction       TEXT NOT NULL DEFAULT '',
    author_id       TEXT NOT NULL DEFAULT '',
    automated       BOOLEAN,
    listed          BOOLEAN NOT NULL,
    body            BYTEA NOT NULL,
    stored_at       BIGINT NOT NULL DEFAULT 0,
    change          BIGINT NOT NULL DEFAULT 0,
    first_change    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (connection_id, conversation_id, id)
);
INSERT INTO mirrored_messages (connection_id, conversation_id, id, at, listed, body)
    SELECT connection_id, CAST(conversation_id AS BIGINT), id, at, listed, body FROM messages;
DROP TABLE messages;
ALTER TABLE mirrored_messages RENAME TO messages;
CREATE INDEX messages_in_order ON messages (connection_id, conversation_id, at, id);
CREATE INDEX messages_by_change ON messages (connection_id, change);
CREATE INDEX messages_by_first_change ON messages (connection_id, first_change);
CREATE INDEX messages_by_time ON messages (connection_id, at, id);
CREATE INDEX messages_by_id ON messages (connection_id, id);

CREATE TABLE activities (
    connection_id   TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    id              TEXT NOT NULL,
    conversation_id BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    type            TEXT NOT NULL,
    author_id       TEXT NOT NULL DEFAULT '',
    agent_id        TEXT NOT NULL DEFAULT '',
    queue_id        TEXT NOT NULL DEFAULT '',
    queue_name      TEXT NOT NULL DEFAULT '',
    message_id      TEXT NOT NULL DEFAULT '',
    pending         BOOLEAN NOT NULL DEFAULT FALSE,
    tried_at        BIGINT NOT NULL DEFAULT 0,
    body            BYTEA NOT NULL,
    stored_at       BIGINT NOT NULL DEFAULT 0,
    change          BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (connection_id, id)
);
CREATE INDEX activities_by_conversation ON activities (connection_id, conversation_id, at, id);
CREATE INDEX activities_by_change ON activities (connection_id, change);
CREATE INDEX activities_by_time ON activities (connection_id, at, id);
CREATE INDEX activities_pending ON activities (connection_id, conversation_id) WHERE pending;
DROP TABLE activity_log; -- held only entries that the next sweep reads again

CREATE TABLE figures (
    connection_id          TEXT NOT NULL REFERENCES connections (id),
    conversation_id        BIGINT NOT NULL,
    created_at             BIGINT NOT NULL,
    channel                TEXT NOT NULL,
    direction              TEXT NOT NULL,
    status                 TEXT NOT NULL,
    queue_id               TEXT NOT NULL,
    assignee_id            TEXT NOT NULL,
    requester_id           TEXT NOT NULL,
    first_inbound_at       BIGINT NOT NULL,
    first_response_at      BIGINT NOT NULL,
    first_response_by      TEXT NOT NULL,
    agent_replies          BIGINT,
    automated_messages     BIGINT,
    customer_messages      BIGINT,
    notes                  BIGINT,
    queue_time             BIGINT,
    queue_time_from_log    BOOLEAN NOT NULL,
    handling_time          BIGINT,
    first_assigned_at      BIGINT NOT NULL,
    first_closed_at        BIGINT NOT NULL,
    last_closed_at         BIGINT NOT NULL,
    closes                 BIGINT,
    reopens                BIGINT,
    transfers              BIGINT,
    assignments            BIGINT,
    last_activity_at       BIGINT NOT NULL,
    dixa_total_duration    BIGINT,
    dixa_handling_duration BIGINT,
    anonymized_at          BIGINT NOT NULL,
    digest                 BYTEA NOT NULL,
    PRIMARY KEY (connection_id, conversation_id)
);
CREATE INDEX figures_by_created ON figures (connection_id, created_at, conversation_id);
CREATE INDEX figures_by_activity ON figures (connection_id, last_activity_at, conversation_id);
CREATE INDEX figures_by_requester ON figures (connection_id, requester_id, created_at, conversation_id);
CREATE INDEX figures_by_assignee ON figures (connection_id, assignee_id, created_at, conversation_id);
CREATE INDEX figures_by_first_response ON figures (connection_id, first_response_at) WHERE first_response_at > 0;
CREATE INDEX figures_by_first_close ON figures (connection_id, first_closed_at) WHERE first_closed_at > 0;
CREATE INDEX figures_by_last_close ON figures (connection_id, last_closed_at); -- 0 for those that are open

CREATE TABLE figure_events (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id BIGINT NOT NULL,
    n               BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    kind            TEXT NOT NULL,
    agent_id        TEXT NOT NULL,
    queue_id        TEXT NOT NULL,
    type            TEXT NOT NULL,
    value           BIGINT NOT NULL,
    channel         TEXT NOT NULL,
    direction       TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (connection_id, conversation_id, n)
);
CREATE INDEX figure_events_by_time ON figure_events (connection_id, kind, at, conversation_id);

CREATE TABLE conversation_tags (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id BIGINT NOT NULL,
    tag             TEXT NOT NULL,
    PRIMARY KEY (connection_id, conversation_id, tag)
);
CREATE INDEX conversation_tags_by_tag ON conversation_tags (connection_id, tag);

-- Kept values of key figures (docs/adr/0031). figure_days.change is the number of the last
-- change of a conversation that has a date on the day, or had one before the change; day
-- is midnight in UTC. kpi_series are the values that are kept together, kpi_buckets the
-- finished buckets [start, until) with the change that they are as of, and kpi_values the
-- values of their groups: those of a backlog or a load are differences to the bucket before. A bucket
-- is stale if a day that it touches changed since.

CREATE TABLE figure_days (
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    day           BIGINT NOT NULL,
    change        BIGINT NOT NULL,
    PRIMARY KEY (connection_id, day)
);

CREATE TABLE kpi_series (
    id            BIGINT PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    kpi           TEXT NOT NULL,
    version       TEXT NOT NULL,
    placed_by     TEXT NOT NULL,
    bucket        TEXT NOT NULL,
    zone          TEXT NOT NULL,
    dimension     TEXT NOT NULL,
    within_days   BIGINT NOT NULL,
    kept_at       BIGINT NOT NULL,
    UNIQUE (connection_id, kpi, version, placed_by, bucket, zone, dimension, within_days)
);

CREATE TABLE kpi_buckets (
    series_id BIGINT NOT NULL REFERENCES kpi_series (id) ON DELETE CASCADE,
    start     BIGINT NOT NULL,
    until     BIGINT NOT NULL,
    change    BIGINT NOT NULL,
    PRIMARY KEY (series_id, start)
);

CREATE TABLE kpi_values (
    series_id BIGINT NOT NULL REFERENCES kpi_series (id) ON DELETE CASCADE,
    start     BIGINT NOT NULL,
    grp       TEXT NOT NULL,
    hour      BIGINT NOT NULL,
    n         BIGINT NOT NULL,
    missing   BIGINT NOT NULL,
    part      BIGINT,
    whole     BIGINT,
    different BIGINT,
    value     DOUBLE PRECISION,
    sum       DOUBLE PRECISION,
    mean      DOUBLE PRECISION,
    median    DOUBLE PRECISION,
    p90       DOUBLE PRECISION,
    PRIMARY KEY (series_id, start, grp, hour)
);

-- The directory: people, teams, queues and definitions of the organization. kind says
-- what a row is. gone_at is when Dixa stopped listing it.

CREATE TABLE directory (
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    id            TEXT NOT NULL,
    body          BYTEA NOT NULL,
    seen_at       BIGINT NOT NULL,
    gone_at       BIGINT NOT NULL DEFAULT 0,
    change        BIGINT NOT NULL,
    first_change  BIGINT NOT NULL,
    history       BOOLEAN NOT NULL,
    PRIMARY KEY (connection_id, kind, id)
);
CREATE INDEX directory_by_change ON directory (connection_id, change);
CREATE INDEX directory_by_first_change ON directory (connection_id, first_change);

-- What was deleted, so that events can tell it. kind is conversation, message or a kind of
-- the directory; conversation_id is 0 for the directory. mirrors.forgotten is the highest
-- change of a row that was deleted here because it was old.
CREATE TABLE tombstones (
    connection_id   TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    change          BIGINT NOT NULL,
    kind            TEXT NOT NULL,
    conversation_id BIGINT NOT NULL,
    id              TEXT NOT NULL,
    at              BIGINT NOT NULL,
    PRIMARY KEY (connection_id, change, kind, conversation_id, id)
);
CREATE INDEX tombstones_by_time ON tombstones (at);

-- How far an endpoint has read the changes of a connection's records. It began after
-- start_change, at start_at. The place of the last change that it read are change, stream,
-- conversation_id and key. missed_at is when it was too late for deletions.
CREATE TABLE record_feeds (
    endpoint_id     TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    connection_id   TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    start_change    BIGINT NOT NULL,
    start_at        BIGINT NOT NULL,
    change          BIGINT NOT NULL,
    stream          BIGINT NOT NULL DEFAULT 0,
    conversation_id BIGINT NOT NULL DEFAULT 0,
    key             TEXT NOT NULL DEFAULT '',
    missed_at       BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (endpoint_id, connection_id)
);
CREATE INDEX record_feeds_of_connection ON record_feeds (connection_id);

-- Whether each agent was working, sampled at imports of the directory.

CREATE TABLE presence_samples (
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    at            BIGINT NOT NULL,
    agent_id      TEXT NOT NULL,
    working       BIGINT NOT NULL,
    PRIMARY KEY (connection_id, at, agent_id)
);

-- Data sources and imports. Their documents are JSON without personal data. An
-- import's state is running, paused, done or cancelled; a window's is waiting, done
-- or parked. Windows are processed in the order of n. import_rejects are the rows
-- that could not be read.

CREATE TABLE sources (
    id            TEXT PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    title         TEXT NOT NULL,
    doc           TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);
CREATE INDEX sources_by_connection ON sources (connection_id);

CREATE TABLE imports (
    id            TEXT PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    state         TEXT NOT NULL,
    cause         TEXT NOT NULL,
    access        TEXT NOT NULL DEFAULT '',
    why           TEXT NOT NULL DEFAULT '',
    started_at    BIGINT NOT NULL,
    finished_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX imports_by_connection ON imports (connection_id, started_at);
CREATE UNIQUE INDEX imports_current ON imports (connection_id) WHERE state IN ('running', 'paused');

CREATE TABLE import_windows (
    import_id   TEXT NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    n           BIGINT NOT NULL,
    stream      TEXT NOT NULL,
    from_at     BIGINT NOT NULL,
    to_at       BIGINT NOT NULL,
    state       TEXT NOT NULL,
    cursor      TEXT NOT NULL DEFAULT '',
    read        BIGINT NOT NULL DEFAULT 0,
    added       BIGINT NOT NULL DEFAULT 0,
    changed     BIGINT NOT NULL DEFAULT 0,
    excluded    BIGINT NOT NULL DEFAULT 0,
    rejected    BIGINT NOT NULL DEFAULT 0,
    requests    BIGINT NOT NULL DEFAULT 0,
    why         TEXT NOT NULL DEFAULT '',
    finished_at BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (import_id, n)
);

CREATE TABLE import_rejects (
    import_id TEXT NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    n         BIGINT NOT NULL,
    place     BIGINT NOT NULL,
    why       TEXT NOT NULL,
    PRIMARY KEY (import_id, n, place)
);

-- The periods of each stream that are imported, without overlap.

CREATE TABLE coverage (
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    stream        TEXT NOT NULL,
    from_at       BIGINT NOT NULL,
    to_at         BIGINT NOT NULL,
    PRIMARY KEY (connection_id, stream, from_at)
);

-- What figures of claims need. The keys are words in the normalized spelling, customer
-- is a keyed hash. claim_parkings has a row for each time that a claim was parked.

ALTER TABLE claims ADD COLUMN carrier_key TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN phase_key TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN preference_key TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN status_key TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN customer TEXT NOT NULL DEFAULT '';
ALTER TABLE claims ADD COLUMN settled_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX claims_by_customer ON claims (shop, customer, accepted_at, id);

CREATE TABLE claim_parkings (
    shop     TEXT NOT NULL,
    claim_id TEXT NOT NULL,
    at       BIGINT NOT NULL,
    cause    TEXT NOT NULL,
    PRIMARY KEY (shop, claim_id, at),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);

CREATE VIEW claim_facts AS
    SELECT COALESCE(NULLIF(c.connection_id, ''), s.connection_id) AS connection_id, c.shop, c.id, c.reason_key AS reason, c.carrier_key AS carrier,
        c.phase_key AS phase, c.status_key AS status, c.preference_key AS resolution, c.customer, c.accepted_at, c.opened_at, c.settled_at,
        COALESCE(f.first_response_at, 0) AS first_reply_at, COALESCE(v.closed_since, 0) AS closed_at
    FROM claims c JOIN shops s ON s.slug = c.shop
    LEFT JOIN figures f ON f.connection_id = c.connection_id AND f.conversation_id = c.conversation_id
    LEFT JOIN conversations v ON v.connection_id = c.connection_id AND v.conversation_id = c.conversation_id;

-- The versions of each schedule of business hours. doc is Dixa's definition.

CREATE TABLE schedules (
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    id            TEXT NOT NULL,
    valid_from    BIGINT NOT NULL,
    doc           TEXT NOT NULL,
    PRIMARY KEY (connection_id, id, valid_from)
);

-- Erasures of customers. identity is a keyed hash of the customer and the mode. person
-- says who it is and is NULL once the erasure ended. steps and report are JSON without
-- personal data. erasure_subjects is what was found of the customer: claims,
-- conversations and end users, the latter until the erasure ends. claims.erased_at is
-- when a claim lost its content, by an erasure or because it was too old.

CREATE TABLE erasures (
    id            TEXT PRIMARY KEY,
    shop          TEXT NOT NULL,
    identity      TEXT NOT NULL,
    dry_run       BOOLEAN NOT NULL,
    state         TEXT NOT NULL,
    why           TEXT NOT NULL DEFAULT '',
    connection_id TEXT NOT NULL DEFAULT '',
    person        BYTEA,
    steps         TEXT NOT NULL DEFAULT '[]',
    report        TEXT NOT NULL DEFAULT '{}',
    started_at    BIGINT NOT NULL,
    finished_at   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX erasures_of_shop ON erasures (shop, started_at);
CREATE UNIQUE INDEX erasures_current ON erasures (shop, identity) WHERE state = 'running';

CREATE TABLE erasure_subjects (
    erasure_id    TEXT NOT NULL REFERENCES erasures (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    id            TEXT NOT NULL,
    done          BOOLEAN NOT NULL DEFAULT FALSE,
    request_id    TEXT NOT NULL DEFAULT '',
    result        TEXT NOT NULL DEFAULT '',
    detail        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (erasure_id, kind, connection_id, id)
);
CREATE INDEX erasure_subjects_by_id ON erasure_subjects (connection_id, kind, id);

ALTER TABLE claims ADD COLUMN erased_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX owner_inbox_of_claim ON owner_inbox (shop, claim_id) WHERE body IS NOT NULL;
