-- What install_crm() has made in this schema.

CREATE TABLE kit_object (
    kind     text NOT NULL,      -- type, table, view, index, function, trigger
    name     text NOT NULL,
    version  text NOT NULL,      -- of the extension that made it
    PRIMARY KEY (kind, name)
);
COMMENT ON TABLE kit_object IS 'What install_crm() has made in this schema: it makes what is missing, and leaves alone what is listed here and there';
