/*
 * image.h -- row images of events: a jsonb object column name -> text (stored.h).
 * A row that can't be kept without user code or in 1 MB is {"#": "no_image"}
 * or {"#": "too_big"}: the executor reads the row as it is now.
 */
#ifndef WF_IMAGE_H
#define WF_IMAGE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#define IMAGE_MAX (1024 * 1024)

/* Columns: attnums in desc; all = every live column.  Never fails for an
 * engine reason, never runs user code. */
extern Jsonb *wf_image_of_tuple(HeapTuple tuple, TupleDesc desc, bool all, const AttrNumber *attnums, int n);

typedef enum
{
	IMAGE_OK,
	IMAGE_MISSING						/* too_big or no_image */
} ImageState;

/* Composite datum of rowtype from an image; columns not in it are NULL.
 * Input functions run as the current user.  *value is palloc'd. */
extern ImageState wf_image_to_row(Jsonb *image, Oid rowtype, Datum *value);

#endif
