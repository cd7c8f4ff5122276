# Processes of ours: starting them apart from the terminal, knowing them again, stopping them.
# Sourced by ./servers. A process is known by its pid file in .urna/run *and* by its command line,
# which names this checkout: a pid alone may meanwhile belong to somebody else.

pid_of() { head -n 1 "$state/run/$1.pid" 2>/dev/null; }

# Prints the command line of a process, nothing when it is gone. (Small images have no ps.)
command_of() { # PID
  if [ -d /proc/self ]; then
    { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null || true
  else
    ps -ww -o args= -p "$1" 2>/dev/null || true
  fi
}

# What the command line of each of our processes contains, and of nobody else's.
mark_of() {
  case $1 in
    nats) echo "$root/nats/server/local.conf" ;;
    postgres) postgres_folder ;;
    redis) echo "$state/redis" ;;
    urna) sed -n 2p "$state/run/urna.pid" 2>/dev/null ;;
  esac
}

running() { # NAME
  local pid mark
  pid=$(pid_of "$1") && [ -n "$pid" ] || return 1
  mark=$(mark_of "$1") && [ -n "$mark" ] || return 1
  [[ " $(command_of "$pid")" == *" $mark"* ]]
}

# Starts a server in a process group of its own (set -m), so that the terminal's Ctrl-C does not
# reach it: it has to outlive the voters' process that uses it. The log of the run before is kept.
start_apart() { # NAME COMMAND…
  local name=$1 log=$state/log/$1.log
  shift
  keep_log_before "$name"
  (
    set -m
    nohup "$@" >>"$log" 2>&1 </dev/null &
    echo $! >"$state/run/$name.pid"
  )
}

keep_log_before() { [ ! -e "$state/log/$1.log" ] || mv -f "$state/log/$1.log" "$state/log/$1.log.old"; }

# Asks until the server answers; gives up when its process is gone, or after half a minute.
await() { # NAME QUESTION…
  local name=$1 tries
  shift
  for ((tries = 0; tries < 300; tries++)); do
    if "$@"; then return; fi
    sleep 0.1
    running "$name" || break
  done
  did_not_start "$name"
}

did_not_start() { # NAME
  say "$1 did not start. The end of .urna/log/$1.log:"
  tail -n 20 "$state/log/$1.log" | sed 's/^/    /' >&2
  return 1
}

# ---- stopping -----------------------------------------------------------------------------------

tell() { kill -"$2" "$(pid_of "$1")" 2>/dev/null || true; } # NAME SIGNAL

# The kindest signal first, then after a while the one that cannot be ignored. PostgreSQL reads TERM
# as "when the last client has left", and INT as "now, properly".
ask_to_stop() {
  case $1 in
    postgres) tell postgres INT ;;
    *) tell "$1" TERM ;;
  esac
}

is_gone_within() { # NAME SECONDS
  local tries
  for ((tries = 0; tries < $2 * 20; tries++)); do
    running "$1" || return 0
    sleep 0.05
  done
  return 1
}

# Stops the named processes, all at once. One that is not ours, or long gone, is only forgotten.
stop() { # NAME…
  local name
  for name in "$@"; do
    if running "$name"; then ask_to_stop "$name"; fi
  done
  for name in "$@"; do
    if running "$name" && ! is_gone_within "$name" 15; then
      say "$name does not stop: killing it"
      tell "$name" KILL
      is_gone_within "$name" 5 || say "$name cannot be stopped (process $(pid_of "$name"))"
    fi
    rm -f "$state/run/$name.pid" "$state/run/$name.port"
  done
}

# ---- ports --------------------------------------------------------------------------------------

is_listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; } # PORT

# " by redis-server (process 42)", as far as this system can tell and lets us see.
listener_on() { # PORT
  if have lsof; then
    lsof -nP -iTCP:"$1" -sTCP:LISTEN 2>/dev/null | awk 'NR == 2 { print " by " $1 " (process " $2 ")" }'
  elif have ss; then
    ss -Hltnp "sport = :$1" 2>/dev/null |
      sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/ by \1 (process \2)/p' | head -n 1
  fi || true
}

# Complains when PORT is taken; SETTING is what moves it.
is_free() { # PORT SETTING
  is_listening "$1" || return 0
  say "port $1 is taken$(listener_on "$1"). Move ours: make run $2=$(($1 + 1))"
  return 1
}

# Whether a server can have its ports. Our own, already running, has them.
can_have() { # NAME PORT SETTING [PORT SETTING]
  local name=$1 was free=0
  shift
  if running "$name"; then
    was=$(cat "$state/run/$name.port" 2>/dev/null || true)
    [ "$was" = "$1" ] && return
    say "$name already runs on port $was, not on $1: make down first"
    return 1
  fi
  while [ $# -gt 0 ]; do
    is_free "$1" "$2" || free=1
    shift 2
  done
  return "$free"
}

# ---- the voters' process ------------------------------------------------------------------------

# Our process group and the terminal's foreground one, as two numbers.
process_groups() {
  local stat
  if [ -r /proc/$$/stat ]; then
    stat=$(cat /proc/$$/stat)
    # After the name in brackets: state, parent, group, session, terminal, its foreground group.
    echo "${stat##*) }" | awk '{ print $3, $6 }'
  else
    ps -o pgid=,tpgid= -p $$
  fi
}

group_of_ours() { process_groups | awk '{ print $1 }'; }

# Whether we are whom the terminal's Ctrl-C goes to.
owns_terminal() { [ -t 2 ] && process_groups | awk '{ exit $1 != $2 }'; }

# Puts a process group in the terminal's foreground. bash can do that only for a command it then waits
# for, deaf to signals. Debian and macOS always have perl; without it Ctrl-C works all the same, but
# make also gets it and reports its own end.
give_terminal_to() { # PROCESS_GROUP
  have perl || return 0
  perl -e 'use POSIX (); $SIG{TTOU} = "IGNORE"; POSIX::tcsetpgrp(3, shift)' "$1" 3>&2 2>/dev/null || true
}

# Runs COMMAND in a process group of its own until it ends, and returns its status.
#
# On a terminal that group gets the foreground: Ctrl-C then reaches COMMAND, once, and neither us nor
# make. Elsewhere we pass signals on. We wait in `wait`, the one place where bash heeds them at once.
job=
asked=
signals=0
run_in_foreground() { # COMMAND…
  local status=0 program=$1 our_group=''
  shift
  # By its whole path it is known again.
  case $program in /*) ;; */*) program=$PWD/$program ;; *) program=$(command -v "$program") ;; esac
  job=starting
  set -m
  # Ctrl-Z would leave a stopped process and nobody to continue it.
  # shellcheck disable=SC2016
  bash -c 'trap "" TSTP; printf "%s\n" "$$" "$2" >"$1"; shift; exec "$@"' urna \
    "$state/run/urna.pid" "$program" "$@" </dev/null &
  job=$!
  set +m
  [ -z "$asked" ] || kill -"$asked" "$job" 2>/dev/null || true
  if owns_terminal; then
    our_group=$(group_of_ours)
    give_terminal_to "$job"
  fi
  await_job || status=$?
  [ -z "$our_group" ] || give_terminal_to "$our_group"
  # Ended by the signal itself, before it had set up its own way to stop.
  case $status in 129 | 130 | 143) status=0 ;; esac
  return "$status"
}

# A wait cut short by a signal says nothing about the job: then wait again.
await_job() {
  local status before=-1
  while [ "$before" != "$signals" ]; do
    before=$signals
    status=0
    wait "$job" || status=$?
  done
  return "$status"
}

# A signal came: the command's, if there is one, or else the end of us.
pass_on() { # SIGNAL
  asked=$1 signals=$((signals + 1))
  case $job in
    '') exit 130 ;;
    starting) ;;
    *) kill -"$1" "$job" 2>/dev/null || true ;;
  esac
}
