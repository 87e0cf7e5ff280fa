#include "postgres.h"
#include "caps.h"
const char *
wf_caps_reason(const Outgoing *o, const Server *server, int nth, bool once)
{
	return NULL;
}
