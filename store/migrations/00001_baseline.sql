-- The schema, the same on SQLite and PostgreSQL. Times are microseconds since 1970
-- UTC, 0 for never. BYTEA columns are encrypted. customers.identity and the token
-- hashes are keyed hashes. No other column holds personal data or secrets.

-- +goose Up

-- The platform, shops and their set-up. The settings of a shop and of the platform
-- are layers of one document. platform.store_id identifies this store.

CREATE TABLE platform (
    id         TEXT PRIMARY KEY,
    settings   TEXT NOT NULL,
    version    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    store_id   TEXT NOT NULL DEFAULT ''
);
INSERT INTO platform (id, settings, version, updated_at) VALUES ('platform', '{}', 1, 0);

CREATE TABLE secrets (
    name   TEXT PRIMARY KEY,
    sealed BYTEA NOT NULL
);

CREATE TABLE connections (
    id                TEXT PRIMARY KEY,
    organization_id   TEXT UNIQUE,
    organization_name TEXT NOT NULL DEFAULT '',
    state             TEXT NOT NULL,
    token             BYTEA,
    token_hash        TEXT NOT NULL DEFAULT '',
    token_preview     TEXT NOT NULL DEFAULT '',
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    token_saved_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX connections_by_token ON connections (token_hash);

CREATE TABLE shops (
    slug             TEXT PRIMARY KEY,
    name             TEXT NOT NULL,
    feature          BOOLEAN NOT NULL,
    enabled          BOOLEAN NOT NULL DEFAULT FALSE,
    paused           BOOLEAN NOT NULL DEFAULT FALSE,
    settings         TEXT NOT NULL DEFAULT '{}',
    settings_version BIGINT NOT NULL DEFAULT 1,
    connection_id    TEXT REFERENCES connections (id),
    resumed_at       BIGINT NOT NULL DEFAULT 0,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    deleted_at       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX shops_by_connection ON shops (connection_id);

-- The shops that use a connection or used it before. The organization's data may be about
-- any of them, until the shop is deleted.

CREATE TABLE connection_shops (
    connection_id TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    shop          TEXT NOT NULL REFERENCES shops (slug),
    PRIMARY KEY (connection_id, shop)
);
CREATE INDEX connection_shops_by_shop ON connection_shops (shop);

CREATE TABLE templates (
    shop       TEXT NOT NULL,
    key        TEXT NOT NULL,
    language   TEXT NOT NULL,
    doc        TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (shop, key, language)
);

-- Claims. body is the claim as first accepted. edited is what the conversation is
-- opened from, if the owner changed the claim before that. latest is the owner's
-- last version, if it came after that. body_revision counts the edits. revision
-- counts the changes that the workflow must see, signalled is the revision of its
-- last nudge (at nudged_at), and read_revision is the revision that it read. Until
-- gather_until, events from Dixa cause no nudge, so that those of one of our own
-- writes share one. events
-- is the number of the conversation's last event, applied is the number of the last
-- event that was applied to the claim. rules_due says that the status rules are due.

CREATE TABLE claims (
    shop             TEXT NOT NULL REFERENCES shops (slug),
    id               TEXT NOT NULL,
    state            TEXT NOT NULL,
    cause            TEXT NOT NULL DEFAULT '',
    last_error       TEXT NOT NULL DEFAULT '',
    reason           TEXT NOT NULL,
    reason_key       TEXT NOT NULL,
    flow             TEXT NOT NULL,
    preference       TEXT NOT NULL,
    phase            TEXT NOT NULL,
    order_number     TEXT NOT NULL,
    template         TEXT NOT NULL DEFAULT '',
    language         TEXT NOT NULL DEFAULT '',
    route            TEXT NOT NULL DEFAULT '',
    connection_id    TEXT NOT NULL DEFAULT '',
    conversation_id  BIGINT NOT NULL DEFAULT 0,
    end_user_id      TEXT NOT NULL DEFAULT '',
    attached         BIGINT NOT NULL DEFAULT 0,
    left_out         BIGINT NOT NULL DEFAULT 0,
    dixa_requests    BIGINT NOT NULL DEFAULT 0,
    fallback_used    BOOLEAN NOT NULL DEFAULT FALSE,
    create_anyway    BOOLEAN NOT NULL DEFAULT FALSE,
    revision         BIGINT NOT NULL DEFAULT 1,
    signalled        BIGINT NOT NULL DEFAULT 0,
    parked_version   BIGINT NOT NULL DEFAULT 0,
    woken_version    BIGINT NOT NULL DEFAULT 0,
    sequence         BIGINT NOT NULL DEFAULT 0,
    body             BYTEA NOT NULL,
    accepted_at      BIGINT NOT NULL,
    opened_at        BIGINT NOT NULL DEFAULT 0,
    fallback_at      BIGINT NOT NULL DEFAULT 0,
    retried_at       BIGINT NOT NULL DEFAULT 0,
    updated_at       BIGINT NOT NULL,
    nudged_at        BIGINT NOT NULL DEFAULT 0,
    events           BIGINT NOT NULL DEFAULT 0,
    applied          BIGINT NOT NULL DEFAULT 0,
    read_revision    BIGINT NOT NULL DEFAULT 0,
    gather_until     BIGINT NOT NULL DEFAULT 0,
    status           TEXT NOT NULL DEFAULT '',
    status_by        TEXT NOT NULL DEFAULT '',
    derived_status   TEXT NOT NULL DEFAULT '',
    edited           BYTEA,
    latest           BYTEA,
    body_revision    BIGINT NOT NULL DEFAULT 0,
    owner_updated_at BIGINT NOT NULL DEFAULT 0,
    rules_due        BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (shop, id)
);
CREATE INDEX claims_newest ON claims (accepted_at, shop, id);
CREATE INDEX claims_of_shop ON claims (shop, accepted_at, id);
CREATE INDEX claims_by_state ON claims (state, shop);
CREATE INDEX claims_of_shop_by_state ON claims (shop, state, accepted_at, id);
CREATE INDEX claims_by_order ON claims (shop, order_number, accepted_at, id);
CREATE INDEX claims_by_conversation ON claims (conversation_id);
CREATE INDEX claims_unsignalled ON claims (accepted_at) WHERE signalled < revision;

CREATE TABLE drafts (
    shop       TEXT NOT NULL,
    claim_id   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (shop, claim_id, kind),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);

-- From the claim to Dixa. An intent is written before a request that must not be
-- repeated. links.joined says that the events from before the link have their
-- numbers. looked_at is when the sweep last checked the conversation, gone_at is
-- when it found the conversation deleted in Dixa. budget.pace is the learned
-- interval between two requests in microseconds, refused_at is when Dixa last
-- responded with 429. Both are 0 if it never did.

CREATE TABLE intents (
    shop     TEXT NOT NULL,
    claim_id TEXT NOT NULL,
    step     TEXT NOT NULL,
    try      BIGINT NOT NULL,
    sent_at  BIGINT NOT NULL,
    result   TEXT NOT NULL DEFAULT '',
    done_at  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (shop, claim_id, step),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);

CREATE TABLE instructions (
    shop       TEXT NOT NULL,
    claim_id   TEXT NOT NULL,
    id         TEXT NOT NULL,
    number     BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    asked_by   TEXT NOT NULL,
    state      TEXT NOT NULL,
    why        TEXT NOT NULL DEFAULT '',
    result     TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    done_at    BIGINT NOT NULL DEFAULT 0,
    wrote      BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (shop, claim_id, id),
    UNIQUE (shop, claim_id, number),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);
CREATE INDEX instructions_waiting ON instructions (shop, claim_id, number) WHERE state = 'waiting';

CREATE TABLE links (
    shop            TEXT NOT NULL,
    claim_id        TEXT NOT NULL,
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id BIGINT NOT NULL,
    end_user_id     TEXT NOT NULL DEFAULT '',
    created_at      BIGINT NOT NULL,
    joined          BOOLEAN NOT NULL DEFAULT FALSE,
    looked_at       BIGINT NOT NULL DEFAULT 0,
    gone_at         BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (shop, claim_id),
    UNIQUE (connection_id, conversation_id),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);
CREATE INDEX links_not_joined ON links (created_at) WHERE NOT joined;

CREATE TABLE customers (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    identity      TEXT NOT NULL,
    end_user_id   TEXT NOT NULL DEFAULT '',
    holder        TEXT NOT NULL DEFAULT '',
    held_until    BIGINT NOT NULL DEFAULT 0,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (connection_id, identity)
);
CREATE INDEX customers_by_end_user ON customers (connection_id, end_user_id);

CREATE TABLE budget (
    token_hash TEXT PRIMARY KEY,
    next_slot  BIGINT NOT NULL,
    day        BIGINT NOT NULL,
    used       BIGINT NOT NULL,
    pace       BIGINT NOT NULL DEFAULT 0,
    refused_at BIGINT NOT NULL DEFAULT 0
);

-- From Dixa to the claim. An event's row stays forever. Its body is NULL once
-- dropped, and retained says that the body stays. inbox.sequence is NULL for an
-- event that was not joined to a claim yet, 0 if its conversation belongs to no
-- claim, else its number within the claim. subscriptions.holder has the lock to
-- change the subscription in Dixa. conversations.doubt_at is since when Dixa may
-- have another state. sweeps.watermark is the time up to which Dixa's activity log
-- is known. activity_log holds the entries that are not reconciled yet, tried_at is
-- when an entry was last postponed. sweeps.inactive_tags is a JSON list.

CREATE TABLE inbox (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    event_id        TEXT NOT NULL,
    name            TEXT NOT NULL,
    conversation_id BIGINT,
    happened_at     BIGINT NOT NULL,
    received_at     BIGINT NOT NULL,
    retained        BOOLEAN NOT NULL DEFAULT FALSE,
    body            BYTEA,
    sequence        BIGINT,
    PRIMARY KEY (connection_id, event_id)
);
CREATE INDEX inbox_undecided ON inbox (received_at) WHERE body IS NOT NULL AND NOT retained;
CREATE INDEX inbox_by_conversation ON inbox (connection_id, conversation_id, sequence);
CREATE INDEX inbox_not_looked_at ON inbox (received_at) WHERE sequence IS NULL;

CREATE TABLE subscriptions (
    connection_id   TEXT PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    subscription_id TEXT NOT NULL DEFAULT '',
    url             TEXT NOT NULL DEFAULT '',
    by_hand         BOOLEAN NOT NULL DEFAULT FALSE,
    active          BOOLEAN NOT NULL DEFAULT FALSE,
    secret          BYTEA,
    secret_preview  TEXT NOT NULL DEFAULT '',
    previous        BYTEA,
    replaced_at     BIGINT NOT NULL DEFAULT 0,
    holder          TEXT NOT NULL DEFAULT '',
    held_until      BIGINT NOT NULL DEFAULT 0,
    updated_at      BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE conversations (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id TEXT NOT NULL,
    status          TEXT NOT NULL,
    assignee_id     TEXT NOT NULL,
    queue_id        TEXT NOT NULL,
    closed_since    BIGINT NOT NULL,
    refreshed_at    BIGINT NOT NULL DEFAULT 0,
    body            BYTEA NOT NULL,
    updated_at      BIGINT NOT NULL,
    doubt_at        BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (connection_id, conversation_id)
);

CREATE TABLE messages (
    connection_id   TEXT NOT NULL REFERENCES connections (id),
    conversation_id TEXT NOT NULL,
    id              TEXT NOT NULL,
    at              BIGINT NOT NULL,
    listed          BOOLEAN NOT NULL,
    body            BYTEA NOT NULL,
    PRIMARY KEY (connection_id, conversation_id, id)
);
CREATE INDEX messages_in_order ON messages (connection_id, conversation_id, at, id);

CREATE TABLE timeline (
    shop     TEXT NOT NULL,
    claim_id TEXT NOT NULL,
    id       TEXT NOT NULL,
    at       BIGINT NOT NULL,
    body     BYTEA NOT NULL,
    PRIMARY KEY (shop, claim_id, id),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);
CREATE INDEX timeline_in_order ON timeline (shop, claim_id, at, id);

CREATE TABLE sweeps (
    connection_id TEXT PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    watermark     BIGINT NOT NULL DEFAULT 0,
    started_at    BIGINT NOT NULL DEFAULT 0,
    finished_at   BIGINT NOT NULL DEFAULT 0,
    report        TEXT NOT NULL DEFAULT '{}',
    inactive_tags TEXT NOT NULL DEFAULT '[]'
);

CREATE TABLE activity_log (
    connection_id   TEXT NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    id              TEXT NOT NULL,
    conversation_id BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    type            TEXT NOT NULL,
    tried_at        BIGINT NOT NULL DEFAULT 0,
    body            BYTEA NOT NULL,
    PRIMARY KEY (connection_id, id)
);
CREATE INDEX activity_log_by_conversation ON activity_log (connection_id, conversation_id);

-- From the owner to the claim. An event's state is waiting, applied, ignored or
-- invalid. Its body is NULL once dropped. In owner_secrets, an empty shop is the
-- platform.

CREATE TABLE owner_inbox (
    shop         TEXT NOT NULL,
    event_id     TEXT NOT NULL,
    ref          TEXT NOT NULL,
    claim_id     TEXT NOT NULL,
    state        TEXT NOT NULL,
    why          TEXT NOT NULL DEFAULT '',
    triggered_at BIGINT NOT NULL,
    received_at  BIGINT NOT NULL,
    handled_at   BIGINT NOT NULL DEFAULT 0,
    body         BYTEA,
    PRIMARY KEY (shop, event_id)
);
CREATE INDEX owner_inbox_waiting ON owner_inbox (received_at) WHERE state = 'waiting';
CREATE INDEX owner_inbox_handled ON owner_inbox (handled_at) WHERE body IS NOT NULL AND handled_at > 0;
CREATE INDEX owner_inbox_newest ON owner_inbox (shop, received_at);

CREATE TABLE owner_secrets (
    shop        TEXT PRIMARY KEY,
    secret      BYTEA NOT NULL,
    preview     TEXT NOT NULL,
    previous    BYTEA,
    replaced_at BIGINT NOT NULL DEFAULT 0,
    updated_at  BIGINT NOT NULL
);

-- From the claim to its owner. An announcement is an event that belongs to no claim.
-- Deliveries of one lane (a claim, or the subject of announcements) go out in the
-- order of their sequence. types and shops are comma-separated lists. Empty types
-- mean all. A delivery's state is waiting, delivered or dead. note says why nothing
-- was sent for a delivery that counts as delivered.

CREATE TABLE outbox (
    shop       TEXT NOT NULL,
    claim_id   TEXT NOT NULL,
    sequence   BIGINT NOT NULL,
    id         TEXT NOT NULL,
    type       TEXT NOT NULL,
    body       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (shop, claim_id, sequence),
    UNIQUE (shop, claim_id, id),
    FOREIGN KEY (shop, claim_id) REFERENCES claims (shop, id) ON DELETE CASCADE
);
CREATE INDEX outbox_by_time ON outbox (created_at, shop, claim_id, sequence);

CREATE TABLE endpoints (
    id              TEXT PRIMARY KEY,
    shop            TEXT NOT NULL,
    url             BYTEA NOT NULL,
    description     TEXT NOT NULL,
    types           TEXT NOT NULL,
    state           TEXT NOT NULL,
    reason          TEXT NOT NULL DEFAULT '',
    secret          BYTEA NOT NULL,
    previous_secret BYTEA,
    previous_until  BIGINT NOT NULL DEFAULT 0,
    failing_since   BIGINT NOT NULL DEFAULT 0,
    failed_at       BIGINT NOT NULL DEFAULT 0,
    succeeded_at    BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    kind            TEXT NOT NULL DEFAULT 'webhook',
    karla           BYTEA,
    resources       TEXT NOT NULL DEFAULT '',
    history         BOOLEAN NOT NULL DEFAULT FALSE,
    records_since   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX endpoints_of_shop ON endpoints (shop);

CREATE TABLE announcements (
    id         TEXT PRIMARY KEY,
    lane       TEXT NOT NULL,
    sequence   BIGINT NOT NULL,
    type       TEXT NOT NULL,
    shops      TEXT NOT NULL,
    body       BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (lane, sequence)
);
CREATE INDEX announcements_by_time ON announcements (created_at);

CREATE TABLE deliveries (
    id              TEXT PRIMARY KEY,
    endpoint_id     TEXT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    lane            TEXT NOT NULL,
    sequence        BIGINT NOT NULL,
    shop            TEXT,
    claim_id        TEXT,
    announcement_id TEXT REFERENCES announcements (id) ON DELETE CASCADE,
    type            TEXT,
    about           TEXT,
    body            BYTEA,
    state           TEXT NOT NULL,
    attempts        BIGINT NOT NULL DEFAULT 0,
    next_attempt_at BIGINT NOT NULL,
    holder          TEXT NOT NULL DEFAULT '',
    held_until      BIGINT NOT NULL DEFAULT 0,
    last_status     BIGINT NOT NULL DEFAULT 0,
    last_error      TEXT NOT NULL DEFAULT '',
    note            TEXT NOT NULL DEFAULT '',
    delivered_at    BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    UNIQUE (endpoint_id, lane, sequence),
    CHECK (CASE WHEN body IS NULL THEN (announcement_id IS NULL) = (shop IS NOT NULL AND claim_id IS NOT NULL)
        ELSE announcement_id IS NULL AND shop IS NULL AND claim_id IS NULL AND type IS NOT NULL AND about IS NOT NULL END),
    FOREIGN KEY (shop, claim_id, sequence) REFERENCES outbox (shop, claim_id, sequence) ON DELETE CASCADE
);
CREATE INDEX deliveries_newest ON deliveries (endpoint_id, created_at, id);
CREATE INDEX deliveries_of_claim ON deliveries (shop, claim_id);
CREATE INDEX deliveries_of_announcement ON deliveries (announcement_id);
CREATE INDEX deliveries_about ON deliveries (about) WHERE about IS NOT NULL;
CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, next_attempt_at) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (endpoint_id) WHERE state = 'dead';
CREATE INDEX deliveries_done ON deliveries (delivered_at) WHERE state = 'delivered';

-- Access control and audit.

CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    shop       TEXT NOT NULL,
    scopes     TEXT NOT NULL,
    preview    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE audit (
    id      TEXT PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    shop    TEXT NOT NULL,
    target  TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX audit_newest ON audit (at, id);

