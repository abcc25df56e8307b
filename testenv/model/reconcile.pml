	/* The loop of handlers/reconcile.go: look, compare, read, write, look again. The event only names
	 * the key; neither its version nor its sequencer decides anything. Part of record.pml. */

	/* readFirst: one GET is the look and the reading. If its body breaks off, the rest is asked for
	 * with the version that the first part was of. */
	:: atomic { STEP(SMALL_GET) -> EFFECT;
		tag = NOW; digest = content[now];
		printf("worker %d  readFirst     reads the object: version %d\n", me, tag);
		pc = (tag -> READ_SECOND : LOOK_FIRST) }
	/* look: the record before the object. So what is written on the condition that the record
	 * is still the same cannot replace the record of a newer version. OBJECT_FIRST is a mutant. */
	:: atomic { STEP(RECORD) -> EFFECT;
		etag = REC_ETAG;
		printf("worker %d  look          looks at the record: of version %d\n", me, rec);
#ifdef OBJECT_FIRST
		compare(tag, rec)
#elif defined(KNOWN_WITHOUT_LOOK)
		if
		:: rec && rec == EVENT_TAG -> finish()
		:: else -> tag = rec; pc = OBJECT
		fi
#else
		tag = rec; pc = OBJECT
#endif
		}
	:: atomic { STEP(OBJECT) -> EFFECT;
		printf("worker %d  look          looks at the object: version %d\n", me, NOW);
#ifdef OBJECT_FIRST
		tag = NOW; pc = RECORD
#elif defined(DELETE_EVENT_BELIEVED)
		if
		:: content[event[m]] == 0 -> compare(0, tag)
		:: else -> compare(NOW, tag)
		fi
#else
		compare(NOW, tag)
#endif
		}
	/* read.go, open.go: a large object is read in ranges, all pinned to the version of the look. */
	:: atomic { STEP(READ_FIRST) -> EFFECT;
#ifdef KILLER
		if
		:: !lost -> giveBack()
		:: else
		fi;
		printf("worker %d  read.go       is killed by the object\n", me);
		forgetAll(); idle()
#else
		digest = PART;
		pc = (digest -> READ_SECOND : LOOK_FIRST);
		printf("worker %d  read.go       reads content %d of version %d\n", me, digest, tag)
#endif
		}
	:: atomic { STEP(READ_SECOND) -> EFFECT;
		if
		:: PART == 0 -> digest = 0; pc = LOOK_FIRST
		:: else -> digest = (PART == digest -> digest : TORN); pc = PUT
		fi }
	/* save, records.go. After readFirst the condition is that there is no record. */
	:: atomic { STEP(PUT) ->
		if
		:: ARRIVES ->
			if
#ifdef UNCONDITIONAL_WRITE
			:: true ->
#else
			:: REC_ETAG == etag ->
#endif
				write(etag == digest * 2); begun(); etag = 0;
				printf("worker %d  records.go    writes the record of version %d\n", me, rec);
#ifdef NO_LOOK_AFTER_WRITE
				finish()
#else
				answered(AGAIN)
#endif
			:: else -> begun(); etag = 0; digest = 0; pc = LOOK_FIRST;
				printf("worker %d  records.go    cannot write the record: it changed\n", me)
			fi
		:: !ARRIVES || (lost && !wrote) -> cancelled()
		fi;
		EFFECT }
	/* gone, records.go */
	:: atomic { STEP(DELETE) ->
		if
		:: ARRIVES ->
			if
			:: rec == 0 -> begun(); look(); printf("worker %d  records.go    finds no record to remove\n", me)
			:: rec && REC_ETAG == etag ->
				rec = 0; recDigest = 0; recStar = 0; begun(); etag = 0; tag = 0;
				printf("worker %d  records.go    removes the record\n", me);
#ifdef NO_LOOK_AFTER_REMOVE
				finish()
#else
				answered(AGAIN)
#endif
			:: else -> begun(); etag = 0; pc = LOOK_FIRST; printf("worker %d  records.go    cannot remove the record: it changed\n", me)
			fi
		:: !ARRIVES || (lost && !wrote) -> cancelled()
		fi;
		EFFECT }
	/* confirm */
	:: atomic { STEP(AGAIN) -> EFFECT;
		printf("worker %d  confirm       looks at the object again: version %d\n", me, NOW);
		digest = 0;
		if
		:: NOW == tag -> finish()
		:: else -> pc = LOOK_FIRST
		fi }
