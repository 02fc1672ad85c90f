/* Every SQL statement of the project, each beside its name.
 *
 * "?1+0": SQLite would compare a bare ?1 with the "rev > 0" of a partial index, and would prepare
 * the statement anew each time that ?1 is bound to something else. */
#ifndef TALLY_STORE_STATEMENTS_H
#define TALLY_STORE_STATEMENTS_H

/* clang-format off */
#define STORE_STATEMENTS(X) \
    X(BEGIN, \
      "BEGIN IMMEDIATE") \
    X(BEGIN_READ, \
      "BEGIN") \
    X(COMMIT, \
      "COMMIT") \
    X(ROLLBACK, \
      "ROLLBACK") \
    X(SAVEPOINT, \
      "SAVEPOINT part") \
    X(SAVEPOINT_UNDO, \
      "ROLLBACK TO part") \
    X(SAVEPOINT_END, \
      "RELEASE part") \
    X(SCHEMA_VERSION, \
      "PRAGMA user_version") \
    X(FACT_SET, \
      "INSERT INTO fact(name,value) VALUES(?1,?2) ON CONFLICT(name) DO UPDATE SET " \
      "value=excluded.value") \
    X(FACT_GET, \
      "SELECT value FROM fact WHERE name=?1") \
    X(SYMBOL_ADD, \
      "INSERT INTO symbol(text) VALUES(?1)") \
    X(SYMBOL_FIND, \
      "SELECT id FROM symbol WHERE text=?1") \
    X(SYMBOLS_AFTER, \
      "SELECT id,text FROM symbol WHERE text>?1 ORDER BY text LIMIT ?2") \
    X(TABLE_CHECK, \
      "SELECT integrity_check FROM pragma_integrity_check(?1) LIMIT 1") \
    X(SEGMENTS_ASTRAY, \
      "SELECT count(*) FROM segment WHERE origin NOT IN (SELECT id FROM origin)") \
    X(SYMBOLS_TORN, \
      "SELECT count(*) FROM symbol a NOT INDEXED WHERE NOT EXISTS(SELECT 1 FROM symbol b INDEXED BY " \
      "sqlite_autoindex_symbol_1 WHERE b.text=a.text AND b.id=a.id)") \
    X(SYMBOL_TEXT, \
      "SELECT text FROM symbol WHERE id=?1") \
    X(ORIGIN_FIND, \
      "SELECT id,name,unit,via,scope,digest,cell_count,rev FROM origin WHERE name=?1") \
    X(ORIGIN_GET, \
      "SELECT id,name,unit,via,scope,digest,cell_count,rev FROM origin WHERE id=?1") \
    X(ORIGIN_ADD, \
      "INSERT INTO origin(name,unit,via,scope,digest,cell_count,rev) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7)") \
    X(ORIGIN_SET, \
      "UPDATE origin SET unit=?2,via=?3,scope=?4,digest=?5,cell_count=?6,rev=?7 WHERE id=?1") \
    X(ORIGINS, \
      "SELECT id,name,unit,via,scope,digest,cell_count,rev FROM origin WHERE id>?1 ORDER BY id " \
      "LIMIT ?2") \
    X(ORIGIN_SIGNED_SET, \
      "UPDATE origin SET signed=?2,rev=?3 WHERE id=?1") \
    X(ORIGIN_SIGNED, \
      "SELECT signed FROM origin WHERE id=?1 AND signed IS NOT NULL") \
    X(ORIGIN_STOOD_SET, \
      "UPDATE origin SET stood=?2 WHERE id=?1") \
    X(ORIGIN_STOOD, \
      "SELECT stood FROM origin WHERE id=?1 AND stood IS NOT NULL") \
    X(FEED_ORIGINS, \
      "SELECT id,name,unit,via,scope,digest,cell_count,rev FROM origin WHERE rev>?1+0 AND rev>0 " \
      "ORDER BY rev LIMIT ?2") \
    X(SEGMENT_ADD, \
      "INSERT INTO " \
      "segment(name,origin,number,length,hash,held,held_hash,base,continues,continued,rev,clock,row_hash) " \
      "VALUES(?1,?2,(SELECT coalesce(max(number),0)+1 FROM segment WHERE " \
      "origin=?2),?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)") \
    X(SEGMENT_SET, \
      "UPDATE segment SET " \
      "length=?2,hash=?3,held=?4,held_hash=?5,base=?6,continued=?7,rev=?8,row_hash=?9 " \
      "WHERE id=?1") \
    X(SEGMENTS_COUNT, \
      "SELECT count(*) FROM segment WHERE origin=?1") \
    X(SEGMENT_MOVE_LAST, \
      "UPDATE segment SET number=(SELECT max(s.number)+1 FROM segment s WHERE " \
      "s.origin=segment.origin) WHERE id=?1") \
    X(SEGMENT_FIND, \
      "SELECT id,name,origin,number,length,hash,held,held_hash,base,continued,rev,clock,row_hash FROM segment " \
      "WHERE name=?1") \
    X(SEGMENT_GET, \
      "SELECT id,name,origin,number,length,hash,held,held_hash,base,continued,rev,clock,row_hash FROM segment " \
      "WHERE id=?1") \
    X(SEGMENTS, \
      "SELECT id,name,origin,number,length,hash,held,held_hash,base,continued,rev,clock,row_hash FROM segment " \
      "WHERE origin=?1 AND number>?2 ORDER BY number LIMIT ?3") \
    X(SEGMENTS_BETWEEN, \
      "SELECT id,name,origin,number,length,hash,held,held_hash,base,continued,rev,clock,row_hash FROM segment " \
      "WHERE name BETWEEN ?1 AND ?2 ORDER BY name LIMIT ?3") \
    X(SEGMENTS_FRONTIER, \
      "SELECT id,name,origin,number,length,hash,held,held_hash,base,continued,rev,clock,row_hash FROM segment " \
      "WHERE origin=?1 AND continued<=length ORDER BY number LIMIT ?2") \
    X(SEGMENT_CONTINUES, \
      "SELECT continues FROM segment WHERE id=?1") \
    X(FEED_SEGMENTS, \
      "SELECT id,name,origin,number,length,hash,held,held_hash,base,continued,rev,clock,row_hash FROM segment " \
      "WHERE rev>?1 ORDER BY rev LIMIT ?2") \
    X(LEDGER_LENGTH, \
      "SELECT coalesce(sum(length),0),coalesce(sum(held),0) FROM segment WHERE origin=?1") \
    X(LEDGER_FACTS, \
      "SELECT count(*) FROM segment s JOIN entry e ON e.segment=s.id WHERE s.origin=?1 AND " \
      "e.kind<>4") \
    X(ENTRY_ADD, \
      "INSERT INTO " \
      "entry(segment,seq,kind,unit,measure,category,day,value,hosting,refers_segment,refers_seq,key,note,author,recorded_at,act,hash,own,live,now_value,healed_at)" \
      " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21)") \
    X(ENTRY_GET, \
      "SELECT " \
      "segment,seq,kind,unit,measure,category,day,value,hosting,refers_segment,refers_seq,key,note,author,recorded_at,act,hash,own,live,now_value,healed_at" \
      " FROM entry WHERE segment=?1 AND seq=?2") \
    X(ENTRY_BY_KEY, \
      "SELECT " \
      "e.segment,e.seq,e.kind,e.unit,e.measure,e.category,e.day,e.value,e.hosting,e.refers_segment,e.refers_seq,e.key,e.note,e.author,e.recorded_at,e.act,e.hash,e.own,e.live,e.now_value,e.healed_at,s.clock+e.seq,s.name" \
      " FROM entry e JOIN segment s ON s.id=e.segment WHERE e.own=1 AND e.key=?1 " \
      "ORDER BY s.clock+e.seq,s.name LIMIT 1 OFFSET ?2") \
    X(ENTRIES, \
      "SELECT " \
      "segment,seq,kind,unit,measure,category,day,value,hosting,refers_segment,refers_seq,key,note,author,recorded_at,act,hash,own,live,now_value,healed_at" \
      " FROM entry WHERE segment=?1 AND seq>?2 ORDER BY seq LIMIT ?3") \
    X(ENTRIES_OF_ACTS, \
      "SELECT " \
      "segment,seq,kind,unit,measure,category,day,value,hosting,refers_segment,refers_seq,key,note,author,recorded_at,act,hash,own,live,now_value,healed_at" \
      " FROM entry WHERE segment IN (SELECT id FROM segment WHERE origin=?1) AND own=1 AND kind=4 " \
      "AND unit=?2 AND (segment,seq)>(?3,?4) ORDER BY segment,seq LIMIT ?5") \
    X(ENTRIES_MEANWHILE, \
      "UPDATE entry SET healed_at=?3 WHERE segment=?1 AND seq>?2 AND own=1 AND kind<4 AND " \
      "healed_at=0") \
    X(ENTRY_STATE_SET, \
      "UPDATE entry SET live=?3,now_value=?4 WHERE segment=?1 AND seq=?2") \
    X(ENTRY_CORRECTION, \
      "SELECT " \
      "e.segment,e.seq,e.kind,e.unit,e.measure,e.category,e.day,e.value,e.hosting,e.refers_segment,e.refers_seq,e.key,e.note,e.author,e.recorded_at,e.act,e.hash,e.own,e.live,e.now_value,e.healed_at,s.clock+e.seq,s.name" \
      " FROM entry e JOIN segment s ON s.id=e.segment WHERE e.own=1 AND e.kind IN (2,3) AND " \
      "e.refers_segment=?1 AND e.refers_seq=?2 ORDER BY s.clock+e.seq DESC,s.name DESC LIMIT 1 " \
      "OFFSET ?3") \
    X(ENTRY_RANKED, \
      "SELECT " \
      "e.segment,e.seq,e.kind,e.unit,e.measure,e.category,e.day,e.value,e.hosting,e.refers_segment,e.refers_seq,e.key,e.note,e.author,e.recorded_at,e.act,e.hash,e.own,e.live,e.now_value,e.healed_at,s.clock+e.seq,s.name" \
      " FROM entry e JOIN segment s ON s.id=e.segment WHERE e.own=1 AND e.hosting>0 AND " \
      "e.kind=1 AND e.unit=?1 AND e.measure=?2 AND e.category=?3 AND e.day BETWEEN" \
      " ?4 AND ?5 ORDER BY e.hosting DESC,e.day DESC,s.clock+e.seq DESC,s.name DESC LIMIT 1 " \
      "OFFSET ?6") \
    X(ENTRIES_LOST, \
      "SELECT " \
      "e.segment,e.seq,e.kind,e.unit,e.measure,e.category,e.day,e.value,e.hosting,e.refers_segment,e.refers_seq,e.key,e.note,e.author,e.recorded_at,e.act,e.hash,e.own,e.live,e.now_value,e.healed_at,s.clock+e.seq,s.name" \
      " FROM entry e INDEXED BY entry_by_lost JOIN segment s ON s.id=e.segment WHERE e.own=1 AND " \
      "e.kind=5 AND (e.unit,e.measure,e.category,e.day,e.segment,e.seq)>(?1,?2,?3,?4,?5,?6) " \
      "ORDER BY e.unit,e.measure,e.category,e.day,e.segment,e.seq LIMIT ?7") \
    X(ENTRIES_LOST_OF, \
      "SELECT " \
      "e.segment,e.seq,e.kind,e.unit,e.measure,e.category,e.day,e.value,e.hosting,e.refers_segment,e.refers_seq,e.key,e.note,e.author,e.recorded_at,e.act,e.hash,e.own,e.live,e.now_value,e.healed_at,s.clock+e.seq,s.name" \
      " FROM entry e INDEXED BY entry_by_lost JOIN segment s ON s.id=e.segment WHERE e.own=1 AND " \
      "e.kind=5 AND e.unit=?1 AND e.measure=?2 AND e.category=?3 AND e.day BETWEEN ?4 AND ?5 " \
      "ORDER BY s.clock+e.seq DESC,s.name DESC LIMIT 1") \
    X(LEDGER_LOST, \
      "SELECT coalesce(sum(e.refers_seq),0) FROM segment s JOIN entry e ON e.segment=s.id WHERE " \
      "s.origin=?1 AND e.kind=5") \
    X(OWN_LOST, \
      "SELECT coalesce(sum(refers_seq),0) FROM entry INDEXED BY entry_by_lost WHERE own=1 AND kind=5") \
    X(RETURNED_SET, \
      "INSERT INTO returned(origin,whole,frontier,stood) VALUES(?1,?2,?3,?4) ON CONFLICT(origin) DO " \
      "UPDATE SET whole=excluded.whole,frontier=excluded.frontier,stood=excluded.stood") \
    X(RETURNED_GET, \
      "SELECT whole,frontier,stood FROM returned WHERE origin=?1") \
    X(RETURNED_ORIGINS, \
      "SELECT origin FROM returned WHERE origin>?1 ORDER BY origin LIMIT ?2") \
    X(RETURNED_DELETE, \
      "DELETE FROM returned WHERE origin=?1") \
    X(RETURNED_SEGMENTS_DELETE, \
      "DELETE FROM returned_segment WHERE origin=?1") \
    X(RETURNED_CELLS_DELETE, \
      "DELETE FROM returned_cell WHERE origin=?1") \
    X(RETURNED_SEGMENT_ADD, \
      "INSERT INTO returned_segment(origin,number,name,length,hash,continues) VALUES(?1,(SELECT " \
      "coalesce(max(number),0)+1 FROM returned_segment WHERE origin=?1),?2,?3,?4,?5)") \
    X(RETURNED_SEGMENTS, \
      "SELECT number,name,length,hash,continues FROM returned_segment WHERE origin=?1 AND " \
      "number>?2 ORDER BY number LIMIT ?3") \
    X(RETURNED_CELL_PUT, \
      "INSERT INTO returned_cell(origin,unit,measure,category,period,value,count,live,hosting,day) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) ON CONFLICT(origin,unit,measure,category,period) DO " \
      "UPDATE SET value=excluded.value,count=excluded.count,live=excluded.live," \
      "hosting=excluded.hosting,day=excluded.day") \
    X(RETURNED_CELLS, \
      "SELECT unit,measure,category,period,origin,value,count,live,hosting,day,0,0,0,0,x'' FROM " \
      "returned_cell WHERE origin=?1 AND (unit,measure,category,period)>(?2,?3,?4,?5) ORDER BY " \
      "unit,measure,category,period LIMIT ?6") \
    X(CELL_GET, \
      "SELECT " \
      "unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash" \
      " FROM cell WHERE unit=?1 AND measure=?2 AND category=?3 AND period=?4 AND origin=?5") \
    X(CELL_DELETE, \
      "DELETE FROM cell WHERE unit=?1 AND measure=?2 AND category=?3 AND period=?4 AND " \
      "origin=?5") \
    X(CELL_PUT, \
      "INSERT INTO " \
      "cell(unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash)" \
      " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15) ON " \
      "CONFLICT(unit,measure,category,period,origin) DO UPDATE SET " \
      "value=excluded.value,count=excluded.count,live=excluded.live,hosting=excluded.hosting,day=excluded.day,held=excluded.held,scope=excluded.scope,last=excluded.last,rev=excluded.rev,hash=excluded.hash") \
    X(CELLS, \
      "SELECT " \
      "unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash" \
      " FROM cell WHERE (unit,measure,category,period,origin)>(?1,?2,?3,?4,?5) ORDER BY " \
      "unit,measure,category,period,origin LIMIT ?6") \
    X(CELLS_SERIES, \
      "SELECT " \
      "unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash" \
      " FROM cell WHERE unit=?1 AND measure=?2 AND category=?3 AND period BETWEEN ?4 AND ?5 " \
      "ORDER BY period,origin LIMIT ?6") \
    X(PERIOD_BEFORE, \
      "SELECT period FROM cell WHERE unit=?1 AND measure=?2 AND category=?3 AND period<?4 AND " \
      "live>0 AND held=0 ORDER BY period DESC LIMIT 1") \
    X(PERIOD_AFTER, \
      "SELECT period FROM cell WHERE unit=?1 AND measure=?2 AND category=?3 AND period>?4 AND " \
      "live>0 AND held=0 ORDER BY period LIMIT 1") \
    X(UNIT_REPORTED, \
      "SELECT 1 FROM cell WHERE unit=?1 AND measure=?2 AND period BETWEEN ?3 AND ?4 AND live>0 " \
      "AND held=0 LIMIT 1") \
    X(MEASURE_USED, \
      "SELECT 1 FROM cell WHERE measure=?1 LIMIT 1") \
    X(CELLS_HELD, \
      "SELECT " \
      "unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash" \
      " FROM cell WHERE held>0 AND (unit,measure,category,period,origin)>(?1,?2,?3,?4,?5) ORDER" \
      " BY unit,measure,category,period,origin LIMIT ?6") \
    X(CELLS_HELD_COUNT, \
      "SELECT count(*) FROM cell WHERE held>0") \
    X(CELLS_HELD_VIA, \
      "SELECT count(*) FROM cell c JOIN origin o ON o.id=c.origin WHERE c.held>0 AND o.via=?1") \
    X(CELLS_OF_ORIGIN, \
      "SELECT " \
      "unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash" \
      " FROM cell WHERE origin=?1 AND (unit,measure,category,period)>(?2,?3,?4,?5) ORDER BY " \
      "unit,measure,category,period LIMIT ?6") \
    X(SERIES_AFTER, \
      "SELECT measure,category FROM cell WHERE unit=?1 AND (measure,category)>(?2,?3) ORDER BY " \
      "measure,category LIMIT 1") \
    X(CELLS_IN_SERIES, \
      "SELECT " \
      "unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash" \
      " FROM cell WHERE unit=?1 AND measure=?2 AND category=?3 AND period>=?4 AND origin=?5 ORDER " \
      "BY period LIMIT ?6") \
    X(CELL_REV_SET, \
      "UPDATE cell SET rev=?6 WHERE unit=?1 AND measure=?2 AND category=?3 AND period=?4 AND " \
      "origin=?5") \
    X(TOTAL_GET, \
      "SELECT unit,measure,category,period,high,low,entries FROM total WHERE unit=?1 AND " \
      "measure=?2 AND category=?3 AND period=?4") \
    X(TOTAL_PUT, \
      "INSERT INTO total(unit,measure,category,period,high,low,entries) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(unit,measure,category,period) DO UPDATE SET " \
      "high=excluded.high,low=excluded.low,entries=excluded.entries") \
    X(TOTALS, \
      "SELECT unit,measure,category,period,high,low,entries FROM total WHERE " \
      "(unit,measure,category,period)>(?1,?2,?3,?4) ORDER BY unit,measure,category,period LIMIT" \
      " ?5") \
    X(TOTALS_OF_UNIT, \
      "SELECT unit,measure,category,period,high,low,entries FROM total WHERE unit=?1 AND " \
      "measure=?2 AND (category,period)>(?3,?4) ORDER BY category,period") \
    X(FEED_CELLS_UP, \
      "SELECT " \
      "unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash" \
      " FROM cell WHERE scope<2 AND rev>?1 ORDER BY rev LIMIT ?2") \
    X(FEED_CELLS_DOWN, \
      "SELECT " \
      "unit,measure,category,period,origin,value,count,live,hosting,day,held,scope,last,rev,hash" \
      " FROM cell WHERE scope>0 AND rev>?1 ORDER BY rev LIMIT ?2") \
    X(FEED_PENDING, \
      "SELECT (SELECT count(*) FROM cell WHERE scope<2 AND rev>?1)+(SELECT count(*) FROM unit " \
      "WHERE scope<2 AND rev>?1)+(SELECT count(*) FROM hosting WHERE scope<2 AND rev>?1)") \
    X(UNIT_PUT, \
      "INSERT INTO unit(code,name,level,edges,decider,count,scope,rev,hash) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT(code) DO UPDATE SET " \
      "name=excluded.name,level=excluded.level,edges=excluded.edges,decider=excluded.decider,count=excluded.count,scope=excluded.scope,rev=excluded.rev,hash=excluded.hash") \
    X(UNIT_GET, \
      "SELECT code,name,level,edges,decider,count,scope,rev,hash FROM unit WHERE code=?1") \
    X(UNITS, \
      "SELECT code,name,level,edges,decider,count,scope,rev,hash FROM unit WHERE code>?1 ORDER BY " \
      "code LIMIT ?2") \
    X(FEED_UNITS, \
      "SELECT code,name,level,edges,decider,count,scope,rev,hash FROM unit WHERE rev>?1 ORDER BY rev" \
      " LIMIT ?2") \
    X(HOSTING_PUT, \
      "INSERT INTO hosting(unit,node,origin,key,number,revoked,decider,count,scope,rev,hash) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11) ON CONFLICT(unit) DO UPDATE SET " \
      "node=excluded.node,origin=excluded.origin,key=excluded.key,number=excluded.number,revoked=excluded.revoked,decider=excluded.decider,count=excluded.count,scope=excluded.scope,rev=excluded.rev,hash=excluded.hash") \
    X(HOSTING_GET, \
      "SELECT unit,node,origin,key,number,revoked,decider,count,scope,rev,hash FROM hosting WHERE " \
      "unit=?1") \
    X(HOSTING_BY_KEY, \
      "SELECT unit,node,origin,key,number,revoked,decider,count,scope,rev,hash FROM hosting WHERE " \
      "key=?1 AND decider=?2 LIMIT 1") \
    X(HOSTINGS, \
      "SELECT unit,node,origin,key,number,revoked,decider,count,scope,rev,hash FROM hosting WHERE " \
      "unit>?1 ORDER BY unit LIMIT ?2") \
    X(FEED_HOSTINGS, \
      "SELECT unit,node,origin,key,number,revoked,decider,count,scope,rev,hash FROM hosting WHERE " \
      "rev>?1 ORDER BY rev LIMIT ?2") \
    X(STATUS_PUT, \
      "INSERT INTO status(unit,node,state,exact_as_of,held,direct,rev,lost) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT(unit) DO UPDATE SET " \
      "node=excluded.node,state=excluded.state,exact_as_of=excluded.exact_as_of,held=excluded.held,direct=excluded.direct,rev=excluded.rev,lost=excluded.lost") \
    X(STATUS_GET, \
      "SELECT unit,node,state,exact_as_of,held,direct,rev,lost FROM status WHERE unit=?1") \
    X(STATUSES, \
      "SELECT unit,node,state,exact_as_of,held,direct,rev,lost FROM status WHERE unit>?1 ORDER BY " \
      "unit LIMIT ?2") \
    X(FEED_STATUSES, \
      "SELECT unit,node,state,exact_as_of,held,direct,rev,lost FROM status WHERE rev>?1 ORDER BY rev" \
      " LIMIT ?2") \
    X(CHILD_PUT, \
      "INSERT INTO child(unit,node,session,have_session,have_revision,text,midway) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(unit) DO UPDATE SET " \
      "node=excluded.node,session=excluded.session,have_session=excluded.have_session,have_revision=excluded.have_revision,text=excluded.text,midway=excluded.midway") \
    X(CHILD_GET, \
      "SELECT unit,node,session,have_session,have_revision,text,midway FROM child WHERE " \
      "unit=?1") \
    X(BUNDLE_PUT, \
      "INSERT INTO bundle(unit,have_session,have_revision,catalogue,heads,beyond) " \
      "VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(unit) DO UPDATE SET " \
      "have_session=excluded.have_session,have_revision=excluded.have_revision,catalogue=excluded.catalogue,heads=excluded.heads,beyond=excluded.beyond") \
    X(BUNDLE_GET, \
      "SELECT unit,have_session,have_revision,catalogue,heads,beyond FROM bundle WHERE unit=?1") \
    X(CHILDREN_MIDWAY, \
      "SELECT unit FROM child WHERE midway=1 AND unit>?1 ORDER BY unit LIMIT ?2") \
    X(ENDED_ADD, \
      "INSERT INTO ended(unit,name) VALUES(?1,?2) ON CONFLICT(unit,name) DO NOTHING") \
    X(ENDED_TRIM, \
      "DELETE FROM ended WHERE unit=?1 AND id<=(SELECT id FROM ended WHERE unit=?1 ORDER BY id " \
      "DESC LIMIT 1 OFFSET ?2)") \
    X(ENDED_FIND, \
      "SELECT id FROM ended WHERE unit=?1 AND name=?2") \
    X(UNSETTLED_ADD, \
      "INSERT INTO unsettled(segment,seq) VALUES(?1,?2)") \
    X(UNSETTLED_DELETE, \
      "DELETE FROM unsettled WHERE segment=?1 AND seq=?2") \
    X(UNSETTLED_AFTER, \
      "SELECT segment,seq FROM unsettled WHERE (segment,seq)>(?1,?2) ORDER BY segment,seq LIMIT " \
      "?3") \
    X(CHILD_FORGET, "UPDATE child SET have_revision=0 WHERE ?1=0 OR unit=?1") \
    X(INVITE_PUT, \
      "INSERT INTO invite(name,unit,secret,expires,used,replace,key) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(name) DO UPDATE SET " \
      "used=excluded.used,key=excluded.key") \
    X(INVITE_GET, \
      "SELECT name,unit,secret,expires,used,replace,key FROM invite WHERE name=?1") \
    X(SESSION_ADD, \
      "INSERT INTO session(name,head) VALUES(?1,?2)") \
    X(SESSION_FORGET, "DELETE FROM session") \
    X(SESSION_END, \
      "SELECT coalesce((SELECT n.head FROM session n WHERE n.id>s.id ORDER BY n.id LIMIT 1)," \
      "9223372036854775807) FROM session s WHERE s.name=?1") \
    X(SESSION_TRIM, \
      "DELETE FROM session WHERE id<=(SELECT id FROM session ORDER BY id DESC LIMIT 1 OFFSET " \
      "?1) AND name NOT IN (SELECT value FROM fact WHERE name IN " \
      "('acked_session','said_session','welcomed_session'))") \
    X(SESSIONS, \
      "SELECT s.name,coalesce((SELECT n.head FROM session n WHERE n.id>s.id ORDER BY n.id LIMIT 1)," \
      "9223372036854775807) FROM session s ORDER BY s.id LIMIT ?1") \
    X(REFUSED_PUT, \
      "INSERT INTO refused(unit,measure,category,period,origin,reason,count,hash) " \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT DO UPDATE SET " \
      "reason=excluded.reason,count=excluded.count,hash=excluded.hash") \
    X(REFUSED_DELETE, \
      "DELETE FROM refused WHERE unit=?1 AND measure=?2 AND category=?3 AND period=?4 AND " \
      "origin=?5") \
    X(REFUSED_FORGET, \
      "DELETE FROM refused WHERE origin=?1") \
    X(REFUSED_FORGET_FOR, \
      "DELETE FROM refused WHERE origin=?1 AND reason=?2") \
    X(REFUSED_SUM, \
      "SELECT r.count,r.hash,c.hash FROM refused r LEFT JOIN cell c ON c.unit=r.unit AND " \
      "c.measure=r.measure AND c.category=r.category AND c.period=r.period AND " \
      "c.origin=r.origin WHERE r.origin=?1") \
    X(REFUSED_UNITS, \
      "SELECT unit,count(*) FROM refused WHERE unit>?1 GROUP BY unit ORDER BY unit LIMIT ?2") \
    X(REFUSED_TOTAL, \
      "SELECT count(*) FROM refused") \
    X(ALARM_PUT, \
      "INSERT INTO alarm(code,subject,text,since,mended) SELECT ?1,?2,?3,?4,?5 WHERE " \
      "(SELECT count(*) FROM alarm)<1000 OR EXISTS(SELECT 1 FROM alarm WHERE code=?1 AND " \
      "subject=?2) ON CONFLICT(code,subject) DO UPDATE SET " \
      "text=excluded.text,mended=excluded.mended") \
    X(ALARM_MEND, \
      "UPDATE alarm SET text=?3,mended=1 WHERE code=?1 AND subject=?2 AND mended=0") \
    X(ALARM_DELETE, \
      "DELETE FROM alarm WHERE code=?1 AND subject=?2") \
    X(ALARMS_DELETE_MENDED, \
      "DELETE FROM alarm WHERE mended=1") \
    X(ALARMS, \
      "SELECT code,subject,text,since,mended FROM alarm ORDER BY mended,since,code,subject LIMIT " \
      "?1") \
    X(ALARMS_ABOUT, \
      "SELECT code,subject,text,since,mended FROM alarm WHERE code=?1 AND mended=0 AND " \
      "subject>=?2 AND subject<?2||char(1114111) LIMIT ?3")
/* clang-format on */

#define STORE_STATEMENT_NAME(name, sql) STMT_##name,
enum store_stmt { STORE_STATEMENTS(STORE_STATEMENT_NAME) STMT_COUNT };
#undef STORE_STATEMENT_NAME

const char *store_sql(enum store_stmt stmt);

#endif
