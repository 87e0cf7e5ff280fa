/*
 * kit.h -- what the files of install_crm() share.
 */
#ifndef WF_KIT_H
#define WF_KIT_H

/* kit_body.c */
extern void wf_kit_body_to_text(Oid function, const char *path);

#endif							/* WF_KIT_H */
