package cephenv

// configuration is ceph.conf, with the folder of everything, the id of the cluster, and the
// ports of the monitor and of the gateway.
const configuration = `[global]
fsid = %[2]s
mon_initial_members = a
mon_host = v1:127.0.0.1:%[3]s
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = true
ms_bind_msgr2 = false
ms_bind_ipv6 = false
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_max_pg_per_osd = 2000
mon_osd_full_ratio = 0.999
mon_osd_nearfull_ratio = 0.998
mon_osd_backfillfull_ratio = 0.999
mon_data_avail_crit = 1
mon_data_avail_warn = 2
run_dir = %[1]s/run
admin_socket = %[1]s/run/$cluster-$name.asok
pid_file = %[1]s/run/$name.pid
log_file = %[1]s/log/$name.log
mon_cluster_log_file = %[1]s/log/cluster.log
keyring = %[1]s/keyring
crash_dir = %[1]s/run
[mon.a]
host = localhost
mon_data = %[1]s/mon
mon_addr = 127.0.0.1:%[3]s
[osd]
# Else the daemon sends a command that the monitor sometimes refuses ("wrong fsid").
osd_class_update_on_start = false
osd_data = %[1]s/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_max_object_name_len = 2048
osd_class_load_list = *
osd_class_default_list = *
osd_memory_target = 939524096
[client.rgw.a]
rgw_data = %[1]s/rgw
rgw_frontends = beast endpoint=127.0.0.1:%[4]s tcp_nodelay=1
rgw_enable_usage_log = false
rgw_thread_pool_size = 32
rgw_gc_obj_min_wait = 30
rgw_s3_auth_use_keystone = false
rgw_crypt_require_ssl = false
# Without this, Debian's 16.2.15 crashes after some hundred requests.
rgw_beast_enable_async = false
`
