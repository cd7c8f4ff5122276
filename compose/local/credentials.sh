# Users and passwords of our own servers, made up once, readable by us alone. Sourced by ./servers.
#
#   .urna/credentials/<server>/<user>.password   what each process, command and person proves itself with
#   .urna/contexts/<user>.json                   how the nats CLI connects as one of these people:
nats_people="auditor operator support system"

# The users of a nats-server, as its configuration names them.
nats_users() { sed -n 's/^ *{ user: "\([a-z-]*\)".*/\1/p' "$root/nats/server/secure.conf"; }

# Those of Redis, and the roles of PostgreSQL: the administrator, the owner of each schema, and one that reads counts.
redis_users() { sed -n 's/^user \([a-z]*\) on .*/\1/p' "$here/redis.acl"; }
postgres_roles="deploy login round tally recount"

make_credentials() {
  local folder user
  for folder in credentials credentials/nats credentials/redis credentials/postgres contexts; do
    [ -d "$state/$folder" ] || mkdir -m 700 "$state/$folder"
  done
  for user in $(nats_users); do make_secret "$state/credentials/nats/$user.password"; done
  for user in $(redis_users); do make_secret "$state/credentials/redis/$user.password"; done
  for user in $postgres_roles; do make_secret "$state/credentials/postgres/$user.password"; done
  for user in $nats_people; do write_context "$user"; done
}

# For nats-server, whose configuration names a variable for each password. In quotes, because the server parses what it
# finds in a variable.
export_nats_passwords() {
  local user variable
  for user in $(nats_users); do
    variable=NATS_PASSWORD_$(printf %s "$user" | tr 'a-z-' 'A-Z_')
    export "$variable=\"$(cat "$state/credentials/nats/$user.password")\""
  done
}

# The users of Redis with their passwords in the places of the variables.
write_redis_acl() { # FILE
  local user variable text
  text=$(cat "$here/redis.acl")
  # In the shell itself: everybody may read the command lines of processes.
  for user in $(redis_users); do
    variable=REDIS_PASSWORD_$(printf %s "$user" | tr 'a-z' 'A-Z')
    text=${text/>\$$variable />$(cat "$state/credentials/redis/$user.password") }
  done
  (
    umask 077
    printf '%s\n' "$text" >"$1"
  )
}

# The folder of credentials for those servers that are ours. Of others, settings say as whom to connect.
credentials_of_ours() {
  local folder=$state/run/credentials server
  if ours nats && ours redis && ours postgres; then
    echo "$state/credentials"
    return
  fi
  rm -rf "$folder"
  mkdir -m 700 "$folder"
  for server in nats redis postgres; do
    if ours "$server"; then ln -s "$state/credentials/$server" "$folder/$server"; fi
  done
  echo "$folder"
}

# A file that the nats CLI reads when NATS_CONTEXT names it.
write_context() { # USER
  local file=$state/contexts/$1.json api=
  case $1 in
    auditor | operator) api=JS.ELECTIONS.API ;;
    support) api=JS.PEOPLE.API ;;
  esac
  (
    umask 077
    cat >"$file.new" <<CONTEXT
{
  "description": "Urna: $1",
  "url": "$(our_url nats)",
  "user": "$1",
  "password": "$(cat "$state/credentials/nats/$1.password")",
  "inbox_prefix": "_INBOX_$1",
  "jetstream_api_prefix": "$api"
}
CONTEXT
    mv "$file.new" "$file"
  )
}
