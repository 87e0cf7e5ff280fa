-- The kit, as its user installs it.
CALL automation.install_crm('crm');
