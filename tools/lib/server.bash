# What tools/real-mysql, tools/real-mariadb, tools/real-postgres and tools/real-redis have in common; sourced by them, not run.
#
# A script sets `engine`, `default_port`, `scheme` (of the URL), `database` (its path; `app` if not set), `signal` (that stops
# the server) and `account` (that the server runs as when root starts it; empty for root itself), defines the functions below, then calls `server_main "$@"`:
#
#   find_programs   set what the others need, or `die` with a reason of one line
#   initialise      fill $new, which becomes $data once it is complete
#   server_command  set the array `command`: the server in the foreground, listening on 127.0.0.1:$port
#   is_ready        succeed once $log says that the server takes connections on $port
#
# The ports lie below those that Linux and macOS give to outgoing connections, any of which could be there first.
#
# These are servers for tests. They survive being killed, as real ones do, but not a power cut: nothing waits for the disk.

die() { echo "$engine: $*" >&2; exit 1; }

# Runs a command as the account that the server runs as.
as_account() {
  if [ -n "$account" ]; then setpriv --reuid="$account" --regid="$(id -gn "$account")" --init-groups "$@"; else "$@"; fi
}

# Prints the process that `start` left running for this folder. A number that now belongs to another program does not count.
running_pid() {
  local pid
  pid=$(cat "$run/pid" 2> /dev/null) && [ -n "$pid" ] || return 1
  # The redirection that hides complaints comes first: the process may end at any moment.
  tr '\0' '\n' 2> /dev/null < "/proc/$pid/cmdline" | grep -qxF -e "--datadir=$data" -e "$data" && echo "$pid"
}

# Whether a process has let go of everything: of its memory first, then of files and ports. What is left for whoever asks for its
# exit code, which in a container may be nobody, has a single thread and holds nothing.
has_ended() {
  local threads stat
  threads=("/proc/$1/task/"*)
  stat=$(cat "/proc/$1/stat" 2> /dev/null) || return 0
  [ "${#threads[@]}" = 1 ] && [[ ${stat##*) } == [ZX]* ]]
}

is_taken() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# The processes that a process has started, theirs included: a Galera node that takes over its data from another has a server
# of rsync below a shell.
descendants() {
  local child
  for child in $(cat "/proc/$1/task/"*/children 2> /dev/null); do echo "$child"; descendants "$child"; done
}

print_url() { echo "$scheme://app:app-secret@127.0.0.1:$(cat "$run/port")/${database:-app}"; }

# Sets `dir` to where everything lives: DIR, unless the server's account cannot look into it, which lies below, say, a private
# home. Then it is a folder in /var/tmp.
find_place() { # action, DIR
  [ "$(id -u)" = 0 ] || account=
  if [ -n "$account" ] && ! id "$account" > /dev/null 2>&1; then
    [ "$1" != start ] || find_programs # most likely nothing is installed, which is the better reason
    [ "$1" != start ] || die "root can start it only as the user '$account', who does not exist"
    account=
  fi
  umask 022
  dir=$(realpath -m "$2")
  [ "$1" != start ] || mkdir -p "$dir"
  if [ -n "$account" ] && [ -d "$dir" ] && ! as_account test -x "$dir"; then
    dir=/var/tmp/async-starter-$engine-$(cksum <<< "$dir" | cut -d ' ' -f 1)
  fi
}

server_main() {
  local cmd=${1:-} usage="usage: real-$engine start|stop|kill|status DIR [PORT]"
  [ $# -ge 2 ] || { echo "$usage" >&2; exit 2; }
  find_place "$cmd" "$2"
  port=${3:-$default_port}
  data=$dir/data; run=$dir/run; log=$run/server.log
  case $cmd in
    start) server_start ;;
    stop) server_stop ;;
    kill) server_kill ;;
    status) if running_pid > /dev/null; then print_url; else echo "$engine: not running in $dir" >&2; exit 3; fi ;;
    *) echo "$usage" >&2; exit 2 ;;
  esac
}

server_start() {
  local pid
  mkdir -p "$run"
  if running_pid > /dev/null; then print_url; return; fi
  find_programs
  if is_taken "$port"; then die "port $port is taken by another program"; fi
  if [ ! -d "$data" ]; then
    new=$data.new
    rm -rf "$new"; mkdir -m 700 "$new"
    [ -z "$account" ] || chown "$account:" "$new"
    initialise > "$run/init.log" 2>&1 || { tail -n 5 "$run/init.log" >&2; die "initialising failed; see $run/init.log"; }
    mv "$new" "$data"
  fi
  server_command
  : > "$log" # what an earlier run wrote there would be taken for this one's
  # Cut loose (a process session of its own): neither Ctrl-C nor the end of the terminal reaches the server.
  setsid "${command[@]}" > "$log" 2>&1 < /dev/null &
  pid=$!
  echo "$pid" > "$run/pid"; echo "$port" > "$run/port"
  for _ in $(seq 300); do
    if is_ready; then print_url; return; fi
    kill -0 "$pid" 2> /dev/null || { rm -f "$run/pid"; tail -n 5 "$log" >&2; die "it ended at once; see $log"; }
    sleep 0.2
  done
  server_stop
  die "it did not come up in 60 s; see $log"
}

server_stop() {
  local pid try helpers
  pid=$(running_pid) || { rm -f "$run/pid"; return 0; }
  kill -s "$signal" "$pid"
  for try in $(seq 150); do
    ! has_ended "$pid" || break
    if [ "$try" = 125 ]; then # 25 s were enough for an orderly end
      read -ra helpers <<< "$(descendants "$pid" | tr '\n' ' ')"
      kill -s KILL "$pid" "${helpers[@]}" 2> /dev/null || true
    fi
    sleep 0.2
  done
  if ! has_ended "$pid"; then die "process $pid does not end"; fi
  remove_locks
}

# Until somebody has asked for the exit code of a server that was killed, PostgreSQL and MySQL take these for the locks of one
# that lives.
remove_locks() {
  local socket
  socket=/tmp/async-starter-$engine-$(cat "$run/port").sock
  rm -f "$run/pid" "$data/postmaster.pid" "$socket" "$socket.lock"
}

# All processes of the server at once, as when its machine fails. PostgreSQL has one for each connection, and does not start
# while one of them is left.
server_kill() {
  local pid pids left
  pid=$(running_pid) || { echo "$engine: not running in $dir" >&2; exit 3; }
  read -ra pids <<< "$pid $(descendants "$pid" | tr '\n' ' ')"
  kill -s KILL "${pids[@]}" 2> /dev/null || true
  for _ in $(seq 200); do
    left=
    for pid in "${pids[@]}"; do has_ended "$pid" || left=$pid; done
    if [ -z "$left" ]; then
      remove_locks
      return 0
    fi
    sleep 0.05
  done
  die "process $left does not end"
}
