-- Where a message may lead: addresses that servers without allow_private are never
-- reached at.  Each range by its first and last address, and by the neighbours outside.

CREATE TABLE address_case (address inet, refused boolean, why text);
INSERT INTO address_case VALUES
    ('0.0.0.0', true, 'this network'), ('0.255.255.255', true, 'this network'), ('1.0.0.0', false, 'outside'),
    ('9.255.255.255', false, 'outside'), ('10.0.0.0', true, 'private'), ('10.255.255.255', true, 'private'), ('11.0.0.0', false, 'outside'),
    ('100.63.255.255', false, 'outside'), ('100.64.0.0', true, 'shared'), ('100.127.255.255', true, 'shared'), ('100.128.0.0', false, 'outside'),
    ('126.255.255.255', false, 'outside'), ('127.0.0.1', true, 'loopback'), ('127.255.255.255', true, 'loopback'), ('128.0.0.0', false, 'outside'),
    ('168.63.129.15', false, 'outside'), ('168.63.129.16', true, 'host of a cloud'), ('168.63.129.17', false, 'outside'),
    ('169.253.255.255', false, 'outside'), ('169.254.0.0', true, 'link-local'), ('169.254.169.254', true, 'metadata'), ('169.255.0.0', false, 'outside'),
    ('172.15.255.255', false, 'outside'), ('172.16.0.0', true, 'private'), ('172.31.255.255', true, 'private'), ('172.32.0.0', false, 'outside'),
    ('191.255.255.255', false, 'outside'), ('192.0.0.0', true, 'protocols'), ('192.0.0.255', true, 'protocols'), ('192.0.1.0', false, 'outside'),
    ('192.0.2.0', true, 'documentation'), ('192.0.2.255', true, 'documentation'), ('192.0.3.0', false, 'outside'),
    ('192.88.98.255', false, 'outside'), ('192.88.99.1', true, '6to4 relay'), ('192.88.100.0', false, 'outside'),
    ('192.167.255.255', false, 'outside'), ('192.168.0.0', true, 'private'), ('192.168.255.255', true, 'private'), ('192.169.0.0', false, 'outside'),
    ('198.17.255.255', false, 'outside'), ('198.18.0.0', true, 'measurements'), ('198.19.255.255', true, 'measurements'), ('198.20.0.0', false, 'outside'),
    ('198.51.100.7', true, 'documentation'), ('198.51.101.0', false, 'outside'),
    ('203.0.112.255', false, 'outside'), ('203.0.113.0', true, 'documentation'), ('203.0.114.0', false, 'outside'),
    ('223.255.255.255', false, 'outside'), ('224.0.0.1', true, 'multicast'), ('239.255.255.255', true, 'multicast'),
    ('240.0.0.1', true, 'reserved'), ('255.255.255.255', true, 'broadcast'),
    ('8.8.8.8', false, 'public'),
    -- IPv6
    ('::', true, 'unspecified'), ('::1', true, 'loopback'), ('::8.8.8.8', true, 'IPv4 in the old way'), ('0:0:1::', false, 'outside'),
    ('100::1', true, 'discarded'),
    ('2001::', true, 'Teredo'), ('2001:0:ffff::1', true, 'Teredo'), ('2001:1::', false, 'outside'),
    ('2001:db7:ffff::', false, 'outside'), ('2001:db8::1', true, 'documentation'), ('2001:db9::', false, 'outside'),
    ('3fff::1', true, 'documentation'), ('3fff:1000::', false, 'outside'),
    ('fbff::', false, 'outside'), ('fc00::', true, 'unique local'), ('fd12:3456::1', true, 'unique local'), ('fe00::', false, 'outside'),
    ('fe80::1', true, 'link-local'), ('febf:ffff::', true, 'link-local'), ('fec0::1', true, 'site-local'), ('feff::', true, 'site-local'),
    ('ff02::1', true, 'multicast'), ('2606:4700::1111', false, 'public'),
    -- IPv4 within IPv6: what is inside decides
    ('::ffff:127.0.0.1', true, 'mapped'), ('::ffff:10.1.2.3', true, 'mapped'), ('::ffff:8.8.8.8', false, 'mapped'),
    ('::ffff:0:8.8.8.8', true, 'translated'),
    ('64:ff9b::127.0.0.1', true, 'NAT64'), ('64:ff9b::169.254.169.254', true, 'NAT64'), ('64:ff9b::8.8.8.8', false, 'NAT64'),
    ('64:ff9b:1::8.8.8.8', true, 'NAT64 of a network''s own'), ('64:ff9b:1:ffff::', true, 'NAT64 of a network''s own'),
    ('64:ff9b:0:1::', false, 'outside'), ('64:ff9b:2::', false, 'outside'),
    ('2002:7f00:1::', true, '6to4'), ('2002:c0a8:101::1', true, '6to4'), ('2002:808:808::', false, '6to4'), ('2003::', false, 'outside');

-- none: all are as they should be
SELECT address, refused AS expected, automation.address_refused(address) AS is, why
  FROM address_case WHERE automation.address_refused(address) IS DISTINCT FROM refused;
SELECT count(*) AS cases, count(*) FILTER (WHERE refused) AS refused FROM address_case;

-- not for everybody: it tells addresses of this machine
CREATE ROLE address_guest;
SET ROLE address_guest;
SELECT automation.address_refused('127.0.0.1');
RESET ROLE;
DROP ROLE address_guest;
DROP TABLE address_case;
