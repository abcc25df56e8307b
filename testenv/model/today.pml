	/* The work of one event as the handlers do it today. Part of record.pml. */

	/* checksum.go, recorded: is this version recorded, or is the record of a newer one? */
	:: atomic { STEP(LOOKUP) -> EFFECT;
		printf("worker %d  checksum.go   looks at the record: of version %d\n", me, rec);
		if
		:: rec && rec == tag ->
			digest = recDigest;
#ifdef KNOWN_WITHOUT_LOOK
			finish()
#else
			pc = CONFIRM
#endif
		:: rec && rec != tag && recSequencer > sequencer -> superseded()
		:: else -> pc = READ
		fi }
	/* read.go, open.go: a large object is read in ranges, all pinned to the version. */
	:: atomic { STEP(READ) -> EFFECT;
#ifdef KILLER
		if
		:: !lost -> giveBack()
		:: else
		fi;
		printf("worker %d  read.go       is killed by the object\n", me);
		done = 0; doneBy = 0; doneAt = 0; idle()
#else
		digest = PART;
		if
		:: digest == 0 -> printf("worker %d  read.go       finds no version %d\n", me, tag); superseded()
		:: else -> pc = READ_REST; printf("worker %d  read.go       reads content %d as version %d\n", me, digest, tag)
		fi
#endif
		}
	:: atomic { STEP(READ_REST) -> EFFECT;
		if
		:: PART == 0 -> superseded()
		:: else ->
			digest = (PART == digest -> digest : TORN);
			pc = LOOK
		fi }
	/* checksum.go: is the version that was read still the current one? */
	:: atomic { STEP(LOOK) -> EFFECT;
		printf("worker %d  checksum.go   looks at the object: version %d\n", me, NOW);
		if
		:: NOW == tag -> pc = CREATE
		:: else -> superseded()
		fi }
	/* records.go, save: most objects have no record yet. */
	:: atomic { STEP(CREATE) -> EFFECT;
#ifdef UNCONDITIONAL_WRITE
		if
#else
		if
		:: rec -> pc = SAVE_GET; printf("worker %d  records.go    cannot create the record: there is one\n", me)
#endif
		:: else -> write(0);
			printf("worker %d  records.go    creates the record of version %d\n", me, rec);
#ifdef NO_LOOK_AFTER_WRITE
			finish()
#else
			answered(CONFIRM)
#endif
		fi }
	:: atomic { STEP(SAVE_GET) -> EFFECT;
		if
		:: rec && rec != tag && recSequencer > sequencer -> superseded()
		:: rec && rec == tag && recDigest == digest && recSequencer >= sequencer -> pc = CONFIRM /* says */
		:: else -> etag = REC_ETAG; pc = SAVE_PUT
		fi;
		printf("worker %d  records.go    looks at the record: of version %d\n", me, rec) }
	:: atomic { STEP(SAVE_PUT) -> EFFECT;
		if
		:: REC_ETAG == etag -> write(etag == digest * 2);
			etag = 0;
			printf("worker %d  records.go    replaces the record by that of version %d\n", me, rec);
#ifdef NO_LOOK_AFTER_WRITE
			finish()
#else
			answered(CONFIRM)
#endif
		:: else -> etag = 0; pc = SAVE_GET; printf("worker %d  records.go    cannot replace the record: it changed\n", me)
		fi }
	/* reconcile.go, confirm: is it still so, now that the record is there? */
	:: atomic { STEP(CONFIRM) -> EFFECT;
		printf("worker %d  reconcile.go  confirms: the object has version %d\n", me, NOW);
		digest = 0;
		if
		:: NOW == tag -> finish()
		:: NOW == 0 -> pc = EXISTS
		:: else -> tag = NOW; pc = LOOKUP
		fi }
	/* tombstone.go: is the object gone? */
	:: atomic { STEP(EXISTS) -> EFFECT;
		printf("worker %d  tombstone.go  looks at the object: version %d\n", me, NOW);
		tag = NOW;
		pc = (NOW -> LOOKUP : REMOVE_GET) }
	/* records.go, remove */
	:: atomic { STEP(REMOVE_GET) -> EFFECT;
		printf("worker %d  records.go    looks at the record: of version %d\n", me, rec);
		if
		:: rec == 0 -> finish()
		:: rec && recSequencer > sequencer -> superseded()
		:: else -> etag = REC_ETAG; pc = REMOVE
		fi }
	:: atomic { STEP(REMOVE) -> EFFECT;
		if
		:: rec == 0 -> etag = 0; finish()
		:: rec && REC_ETAG == etag ->
			rec = 0; recDigest = 0; recSequencer = 0; recStar = 0; wrote = true; etag = 0;
			printf("worker %d  records.go    removes the record\n", me);
#ifdef NO_LOOK_AFTER_REMOVE
			finish()
#else
			answered(EXISTS_STILL)
#endif
		:: else -> etag = 0; pc = REMOVE_GET; printf("worker %d  records.go    cannot remove the record: it changed\n", me)
		fi }
	/* tombstone.go: was it put back meanwhile? */
	:: atomic { STEP(EXISTS_STILL) -> EFFECT;
		printf("worker %d  tombstone.go  looks at the object again: version %d\n", me, NOW);
		if
		:: NOW == 0 -> finish()
		:: else -> tag = NOW; pc = LOOKUP
		fi }
