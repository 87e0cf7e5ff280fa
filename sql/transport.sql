-- The network, as far as SQL sees it.

CREATE FUNCTION automation.address_refused(address inet) RETURNS boolean
    STRICT VOLATILE PARALLEL RESTRICTED LANGUAGE c AS 'MODULE_PATHNAME', 'wf_address_refused_sql';
COMMENT ON FUNCTION automation.address_refused(inet) IS
    'Whether servers without the option allow_private are never reached at this address: it is loopback, private, link-local or reserved, or belongs to this machine. For superusers';
