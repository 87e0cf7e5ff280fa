#include "postgres.h"
#include "fmgr.h"
#include "compat.h"
PG_FUNCTION_INFO_V1(wf_unsubscribe);
PG_FUNCTION_INFO_V1(wf_record_inbound);
PG_FUNCTION_INFO_V1(wf_forget_address);
Datum
wf_unsubscribe(PG_FUNCTION_ARGS)
{
	PG_RETURN_NULL();
}
Datum
wf_record_inbound(PG_FUNCTION_ARGS)
{
	PG_RETURN_NULL();
}
Datum
wf_forget_address(PG_FUNCTION_ARGS)
{
	PG_RETURN_NULL();
}
