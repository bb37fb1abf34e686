//! A file for Compose: printed, not applied.
//!
//! For one host with containers, or to try what would run on a cluster. The containers share the
//! current folder. The programs are read there and not brought along: Compose copies what a file of its
//! own holds into the container, through the shared folder and over the user's program.

use super::LauncherEntry;
use super::manifest::{DATA, Manifest, quoted};

/// For lists and help.
pub(super) const ENTRY: LauncherEntry =
    LauncherEntry { name: "compose", summary: "prints a file for Compose, starts nothing" };

/// The file. The supervisor has to listen on an address that the workers can dial, so it is fixed:
/// the second one of 172.30.`network`.0/24, of which another run on the host needs another.
pub fn compose(run: &Manifest, network: u8) -> String {
    let Manifest { name, workers, stop_s, .. } = run;
    let address = format!("172.30.{network}.2");
    let arguments = run.supervisor(&address, escaped);
    let mut text = format!(
        "\
# A run of sage-flow by Compose. It holds a secret: keep it like a password.
#
#   Save:    (umask 077; sage-flow run ... --launcher compose > compose.yaml)
#   Start:   SAGE_USER=$(id -u):$(id -g) docker compose up --detach
#   Follow:  docker compose logs --follow supervisor
#   Await:   docker compose wait supervisor      (says and returns its exit code)
#   End:     docker compose down
#
# It needs an image `{image}` with the same version of sage-flow.
# The containers see the folder of this file as {DATA}: the programs and what they read and import lie
# there, and results are written there.
# Keys of endpoints, if any, are taken from the environment at the start, for the supervisor alone.
# The network was drawn; if Docker says that it overlaps with another, print the file once more.

name: {name}

x-member: &member
  image: {member_image}
  user: ${{SAGE_USER:-10001:10001}}
  working_dir: {DATA}
  volumes: [\".:{DATA}\"]
  security_opt: [\"no-new-privileges:true\"]
  cap_drop: [ALL]
  stop_grace_period: {stop_s}s

x-credentials: &credentials
  SAGE_STATE_DIR: /tmp/state
",
        image = run.image,
        member_image = quoted(&run.image),
    );
    for (name, value) in &run.credentials {
        text.push_str(&format!("  {name}: {}\n", quoted(&escaped(value))));
    }
    // Of the shell that starts it; a worker gets none.
    let mut keys: String =
        run.keys.iter().map(|name| format!("      {name}: ${{{name}:-}}\n")).collect();
    for (name, value) in &run.variables {
        keys.push_str(&format!("      {name}: {}\n", quoted(&escaped(value))));
    }
    text.push_str(&format!(
        "
services:
  supervisor:
    <<: *member
    command: {arguments}
    environment:
      <<: *credentials
{keys}    networks: {{run: {{ipv4_address: {address}}}}}
"
    ));
    for crew in run.crews() {
        let (role, dial) = (&crew.name, Manifest::worker("supervisor", &crew));
        text.push_str(&format!(
            "  {role}:
    <<: *member
    command: {dial}
    environment: {{<<: *credentials}}
    networks: [run]
    depends_on: [supervisor]
    restart: on-failure
    deploy: {{replicas: {workers}}}
"
        ));
    }
    text.push_str(&format!(
        "
networks:
  run: {{ipam: {{config: [{{subnet: 172.30.{network}.0/24}}]}}}}
"
    ));
    text
}

/// Compose takes a dollar for a variable.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}
