//! A manifest for Kubernetes: printed, not applied.
//!
//! The supervisor is a Job, so that a supervisor whose node fails is started again and goes on where
//! it was; the workers are a StatefulSet, so that each has a name under which its logs are found.
//! Both share a volume, which several pods must be able to write.

use super::LauncherEntry;
use super::manifest::{Crew, DATA, Manifest, block, quoted};

/// For lists and help.
pub(super) const ENTRY: LauncherEntry =
    LauncherEntry { name: "k8s", summary: "prints a manifest for Kubernetes, starts nothing" };

const SUPERVISOR: &str = "supervisor";

/// What only Kubernetes wants to know.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// Where it runs.
    pub namespace: String,
    /// The claim for the shared volume, which must be there and be ReadWriteMany.
    pub claim: String,
}

impl Kubernetes {
    /// The manifest.
    pub fn print(&self, run: &Manifest) -> String {
        let parts = [
            self.head(run),
            self.service(run),
            self.secret(run),
            self.keys(run),
            self.programs(run),
            self.supervisor(run),
        ];
        let workers = run.crews().into_iter().map(|crew| self.workers(run, &crew));
        parts.into_iter().chain(workers).collect::<Vec<_>>().join("---\n")
    }

    fn head(&self, run: &Manifest) -> String {
        let (name, namespace, claim) = (&run.name, &self.namespace, &self.claim);
        format!(
            "\
# A run of sage-flow on Kubernetes. It holds a secret: keep it like a password.
#
#   Save:    (umask 077; sage-flow run ... --launcher k8s > run.yaml)
#   Start:   kubectl apply -f run.yaml
#   Follow:  kubectl -n {namespace} logs -f job/{name}-supervisor
#   End:     kubectl delete -f run.yaml      (the workers wait for another run otherwise)
#
# A supervisor on a node that is out of reach goes on elsewhere once its pod is deleted:
#   kubectl -n {namespace} delete pod --force -l app.kubernetes.io/instance={name},app.kubernetes.io/component=supervisor
#
# It needs:
# - an image `{image}` that all nodes can pull, with the same version of sage-flow;
# - a claim `{claim}` in namespace `{namespace}` with access mode ReadWriteMany, which holds, as seen
#   from its root, what the programs read and import; results are written there, too;
# - the keys of endpoints, if any, as values in the secret {name}-keys, which only the supervisor's
#   pod gets.
",
            image = run.image,
        )
    }

    fn meta(&self, run: &Manifest, suffix: &str) -> String {
        format!(
            "\
metadata:
  name: {name}{suffix}
  namespace: {namespace}
  labels: {{app.kubernetes.io/name: sage-flow, app.kubernetes.io/instance: {name}}}
",
            name = run.name,
            namespace = quoted(&self.namespace),
        )
    }

    /// Headless: it gives the supervisor's pod a name to dial, and the workers' pods theirs.
    fn service(&self, run: &Manifest) -> String {
        format!(
            "\
apiVersion: v1
kind: Service
{meta}spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{app.kubernetes.io/instance: {name}}}
  ports:
{ports}",
            meta = self.meta(run, ""),
            name = run.name,
            ports = run
                .crews()
                .iter()
                .map(|Crew { name, port }| format!("    - {{name: {name}, port: {port}}}\n"))
                .collect::<String>(),
        )
    }

    fn secret(&self, run: &Manifest) -> String {
        let mut text = format!(
            "apiVersion: v1\nkind: Secret\n{}type: Opaque\nstringData:\n",
            self.meta(run, "-credentials")
        );
        for (name, value) in &run.credentials {
            text.push_str(&format!("  {name}: {}\n", quoted(value)));
        }
        text
    }

    /// Apart from the other one: workers have no use for it.
    fn keys(&self, run: &Manifest) -> String {
        let meta = self.meta(run, "-keys");
        let mut text = format!("apiVersion: v1\nkind: Secret\n{meta}type: Opaque\nstringData:");
        if run.keys.is_empty() {
            text.push_str(" {}");
        }
        for name in &run.keys {
            text.push_str(&format!("\n  {name}: \"\""));
        }
        text + "\n"
    }

    fn programs(&self, run: &Manifest) -> String {
        let meta = self.meta(run, "-programs");
        let mut text = format!("apiVersion: v1\nkind: ConfigMap\n{meta}data:\n");
        for (number, (_, program)) in run.programs.iter().enumerate() {
            text.push_str(&format!("  program-{number}.sage: {}\n", block(program, 2)));
        }
        text
    }

    /// `role` is its part of the run; `rest` is what else its pod has.
    fn pod(run: &Manifest, role: &str, arguments: &str, rest: &str) -> String {
        let (name, image, stop_s) = (&run.name, quoted(&run.image), run.stop_s);
        let (mut keys, mut variables) = (String::new(), String::new());
        if role == SUPERVISOR {
            keys = format!("            - secretRef: {{name: {name}-keys}}\n");
            for (name, value) in &run.variables {
                let value = quoted(&escaped(value));
                variables.push_str(&format!("            - {{name: {name}, value: {value}}}\n"));
            }
        }
        format!(
            "    metadata:
      labels:
        app.kubernetes.io/name: sage-flow
        app.kubernetes.io/instance: {name}
        app.kubernetes.io/component: {role}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: {stop_s}
      securityContext: {{runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001}}
{rest}      containers:
        - name: {role}
          image: {image}
          args: {arguments}
          workingDir: {DATA}
          envFrom:
            - secretRef: {{name: {name}-credentials}}
{keys}          env:
            - {{name: POD_IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}
            - {{name: SAGE_STATE_DIR, value: /tmp/state}}
{variables}          resources: {{requests: {{cpu: \"1\", memory: 256Mi}}}}
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
          volumeMounts:
            - {{name: data, mountPath: {DATA}}}
            - {{name: temporary, mountPath: /tmp}}
"
        )
    }

    fn volumes(&self) -> String {
        let claim = quoted(&self.claim);
        format!(
            "      volumes:
        - {{name: data, persistentVolumeClaim: {{claimName: {claim}}}}}
        - {{name: temporary, emptyDir: {{}}}}
"
        )
    }

    fn supervisor(&self, run: &Manifest) -> String {
        let name = &run.name;
        // Whether it is an address of IPv4 or of IPv6 is known there.
        let arguments = run.supervisor("[$(POD_IP)]", escaped);
        // The run goes on where it was, so another try is worth it, also where an endpoint or a disk
        // was found wanting at the start (1); not after failed records (3).
        let head = format!(
            "\
apiVersion: batch/v1
kind: Job
{meta}spec:
  backoffLimit: 3
  podFailurePolicy:
    rules:
      - {{action: FailJob, onExitCodes: {{containerName: supervisor, operator: In, values: [3]}}}}
  template:
",
            meta = self.meta(run, "-supervisor"),
        );
        let rest = format!(
            "      restartPolicy: Never\n      hostname: supervisor\n      subdomain: {name}\n"
        );
        let mut text = head + &Self::pod(run, SUPERVISOR, &arguments, &rest);
        for (number, (path, _)) in run.programs.iter().enumerate() {
            text.push_str(&format!(
                "            - {{name: programs, mountPath: {}, subPath: program-{number}.sage}}\n",
                quoted(&format!("{DATA}/{path}"))
            ));
        }
        text += &self.volumes();
        text + &format!("        - {{name: programs, configMap: {{name: {name}-programs}}}}\n")
    }

    fn workers(&self, run: &Manifest, crew: &Crew) -> String {
        let (name, role) = (&run.name, &crew.name);
        let arguments = Manifest::worker(&format!("supervisor.{name}"), crew);
        let head = format!(
            "\
apiVersion: apps/v1
kind: StatefulSet
{meta}spec:
  serviceName: {name}
  replicas: {workers}
  podManagementPolicy: Parallel
  selector:
    matchLabels: {{app.kubernetes.io/instance: {name}, app.kubernetes.io/component: {role}}}
  template:
",
            meta = self.meta(run, &format!("-{role}")),
            workers = run.workers,
        );
        head + &Self::pod(run, role, &arguments, "") + &self.volumes()
    }
}

/// `$(` in a word would be taken for a variable, and `$$` for one dollar.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}
