# Runs as the first process of a private PID namespace, inside the tree that s3.mjs installs: a Ceph cluster of one monitor, one object
# store in memory, and the S3 gateway. Says "ready" when the gateway answers and its user exists, and lives until its input is closed;
# then the kernel ends everything else in the namespace.
set -euo pipefail
directory=$1 port=$2 monitor_port=$3 access_key=$4 secret_key=$5 kms_key=$6
mkdir -p "$directory/mon" "$directory/osd" "$directory/run"
cat >"$directory/ceph.conf" <<CONFIGURATION
[global]
fsid = 6f66f637-5574-4e5f-8000-000000000001
mon_host = [v2:127.0.0.1:$monitor_port/0]
public_addr = 127.0.0.1
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
ms_bind_port_min = $((monitor_port + 1))
ms_bind_port_max = $((monitor_port + 400))
auth_allow_insecure_global_id_reclaim = false
run_dir = $directory/run
admin_socket = $directory/run/\$name.\$pid.asok
log_file = $directory/\$name.log
mon_data = $directory/mon
osd_data = $directory/osd
keyring = $directory/keyring
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
# A cluster of one agrees with itself at once.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
osd_tick_interval = 0.2
[client.rgw.s3]
rgw_frontends = beast endpoint=127.0.0.1:$port
rgw_enable_apis = s3
rgw_thread_pool_size = 32
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = offcut=$kms_key
CONFIGURATION
export CEPH_CONF="$directory/ceph.conf"
keys="$directory/keyring"
store=6f66f637-5574-4e5f-8000-000000000002
{
  ceph-authtool --create-keyring "$keys" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$keys" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
  ceph-authtool "$keys" --gen-key -n client.rgw.s3 --cap mon 'allow rw' --cap osd 'allow rwx'
  ceph-authtool "$keys" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  monmaptool --create --fsid 6f66f637-5574-4e5f-8000-000000000001 --addv a "[v2:127.0.0.1:$monitor_port]" "$directory/monmap"
  ceph-mon --mkfs -i a --monmap "$directory/monmap" --keyring "$keys"
  ceph-mon -i a -f &
  until ceph mon stat; do sleep 0.05; done
  ceph osd new "$store" 0
  ceph-osd -i 0 --mkfs --osd-uuid "$store"
  ceph osd crush add osd.0 1.0 root=default host=localhost
  ceph-osd -i 0 -f &
  until ceph osd stat | grep -q '1 up'; do sleep 0.05; done
  radosgw -n client.rgw.s3 -f &
  until (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
  radosgw-admin user create --uid=test --display-name=test --access-key="$access_key" --secret-key="$secret_key"
} >"$directory/start.log" 2>&1
echo ready
cat >/dev/null
rm -rf "$directory"
