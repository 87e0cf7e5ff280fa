-- Whom not to write to, and what comes back.

CREATE TABLE automation.suppression (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner         regrole,                   -- whose messages; NULL = everybody's
    channel       text NOT NULL,             -- mail, sms ...
    address_hash  text NOT NULL,             -- SHA-256 of the normalized address, hexadecimal: outlives erasure
    class         text,                      -- marketing ...; NULL = all classes
    list          text,                      -- one list; NULL = all
    reason        text NOT NULL,
    at            timestamptz NOT NULL
);
CREATE INDEX suppression_address ON automation.suppression (address_hash);

-- Keys of the tokens in unsubscribe links and return paths; nobody may read them.
CREATE TABLE automation.token_key (
    id            int PRIMARY KEY,           -- the highest signs, all verify
    key           bytea NOT NULL,
    made_at       timestamptz NOT NULL
);

-- What bridges report: bounces, complaints, replies, opens, clicks, unsubscribes.
-- Written by SQL, so that AFTER and WAIT FOR see it.
CREATE TABLE automation.inbound (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text NOT NULL,
    delivery      bigint,                    -- automation.deliveries.id
    address       text,
    url           text,
    detail        jsonb,
    owner         regrole NOT NULL,
    at            timestamptz NOT NULL
);
CREATE INDEX inbound_delivery ON automation.inbound (delivery);
