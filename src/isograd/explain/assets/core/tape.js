// The scalar autograd of reference/value.py once more: every Value is a node, in the order in which
// Python creates it.
//
// A node is an index into typed arrays. Leaves have no children (-1); all other nodes have one or
// two. Nothing here knows about models, except that the first nodes are their weights.

export const OPERATIONS = ["constant", "weight", "+", "*", "**", "log", "exp", "relu"];
/** The same as numbers. */
const CODE = Object.fromEntries(OPERATIONS.map((name, code) => [name, code]));
const COLUMNS = [
    "operation",
    "first",
    "second",
    "data",
    "grad",
    "firstLocal",
    "secondLocal",
    "sites",
    "scenes",
    "rows",
    "columns",
];
const MOST_NODES = 1 << 24; // 1 GB

/** What `x ** n` is in Python, for the exponents that the model and its derivatives use. */
export function powerOf(libm, x, n) {
    switch (n) {
        case 2:
            return libm.square(x);
        case 1:
            return x;
        case 0:
            return 1;
        case 0.5:
            return libm.root(x);
        case -0.5:
            return libm.inverseRoot(x);
        case -1:
            return libm.inverse(x);
        case -1.5:
            return libm.inverseRootCubed(x);
        case -2:
            return libm.inverseSquare(x);
        default:
            return Math.pow(x, n); // in the reader's own expressions only
    }
}

export class Tape {
    /** A tape whose first nodes are `weights`; it computes with the functions of `libm`. */
    constructor(libm, weights = new Float64Array(0), capacity = 1024) {
        this.libm = libm;
        this.length = weights.length;
        this.weights = weights.length;
        this.capacity = Math.max(capacity, weights.length);
        this.operation = new Uint8Array(this.capacity).fill(CODE.weight, 0, weights.length);
        this.first = new Int32Array(this.capacity).fill(-1, 0, weights.length);
        this.second = new Int32Array(this.capacity).fill(-1, 0, weights.length);
        this.data = new Float64Array(this.capacity);
        this.data.set(weights);
        this.grad = new Float64Array(this.capacity);
        this.firstLocal = new Float64Array(this.capacity);
        this.secondLocal = new Float64Array(this.capacity);
        this.exponents = new Map();
        // Where a node was made: the site in the source, the scene of the model, and two indices.
        this.sites = new Uint8Array(this.capacity);
        this.scenes = new Int32Array(this.capacity);
        this.rows = new Int32Array(this.capacity);
        this.columns = new Int32Array(this.capacity);
        this.site = this.scene = this.row = this.column = 0;
    }

    grow() {
        if (this.capacity >= MOST_NODES) {
            throw new Error("The graph of this step has more numbers than a browser can hold.");
        }
        this.capacity *= 2;
        for (const name of COLUMNS) {
            const old = this[name];
            this[name] = new old.constructor(this.capacity);
            this[name].set(old);
        }
    }

    push(operation, data, first, firstLocal, second, secondLocal) {
        if (this.length === this.capacity) {
            this.grow();
        }
        const id = this.length++;
        this.operation[id] = operation;
        this.data[id] = data;
        this.first[id] = first;
        this.second[id] = second;
        this.firstLocal[id] = firstLocal;
        this.secondLocal[id] = secondLocal;
        this.sites[id] = this.site;
        this.scenes[id] = this.scene;
        this.rows[id] = this.row;
        this.columns[id] = this.column;
        return id;
    }

    constant(x) {
        return this.push(CODE.constant, x, -1, 0, -1, 0);
    }

    add(a, b) {
        return this.push(CODE["+"], this.data[a] + this.data[b], a, 1, b, 1);
    }

    multiply(a, b) {
        const x = this.data[a];
        const y = this.data[b];
        return this.push(CODE["*"], x * y, a, y, b, x);
    }

    power(a, n) {
        const x = this.data[a];
        const local = n * powerOf(this.libm, x, n - 1);
        const id = this.push(CODE["**"], powerOf(this.libm, x, n), a, local, -1, 0);
        this.exponents.set(id, n);
        return id;
    }

    log(a) {
        const x = this.data[a];
        return this.push(CODE.log, this.libm.log(x), a, 1 / x, -1, 0);
    }

    exp(a) {
        const y = this.libm.exp(this.data[a]);
        return this.push(CODE.exp, y, a, y, -1, 0);
    }

    relu(a) {
        const isOpen = this.data[a] > 0;
        return this.push(CODE.relu, isOpen ? this.data[a] : 0, a, isOpen ? 1 : 0, -1, 0);
    }

    // The other operators are made of these, as in value.py.

    addNumber(a, x) {
        return this.add(a, this.constant(x));
    }

    multiplyNumber(a, x) {
        return this.multiply(a, this.constant(x));
    }

    negative(a) {
        return this.multiplyNumber(a, -1);
    }

    divide(a, b) {
        return this.multiply(a, this.power(b, -1));
    }

    /** Python's `sum` of values that exist already. */
    sum(values) {
        let total = this.addNumber(values[0], 0);
        for (let i = 1; i < values.length; i++) {
            total = this.add(total, values[i]);
        }
        return total;
    }

    /** All nodes with children from `root` down, children first: value.py's topological_order. */
    topologicalOrder(root) {
        const {first, second, length} = this;
        const order = new Int32Array(length);
        const stack = new Int32Array(length);
        const seen = new Uint8Array(length);
        const visited = new Uint8Array(length);
        let depth = 0;
        let n = 0;
        stack[depth++] = root;
        seen[root] = 1;
        while (depth > 0) {
            const node = stack[depth - 1];
            const child =
                visited[node] === 0 ? first[node] : visited[node] === 1 ? second[node] : -1;
            if (child < 0) {
                depth--;
                order[n++] = node;
                continue;
            }
            visited[node]++;
            if (seen[child]) {
                continue;
            }
            seen[child] = 1;
            if (first[child] >= 0) {
                stack[depth++] = child;
            }
        }
        return order.slice(0, n);
    }

    /** Fill `grad` of all nodes below `root`, and `order`: the nodes as the sweep visited them. */
    backward(root) {
        const {first, second, firstLocal, secondLocal, grad} = this;
        this.order = this.topologicalOrder(root).reverse();
        this.parts = null;
        grad[root] = 1;
        for (const node of this.order) {
            const dy = grad[node];
            if (first[node] >= 0) {
                grad[first[node]] += firstLocal[node] * dy;
            }
            if (second[node] >= 0) {
                grad[second[node]] += secondLocal[node] * dy;
            }
        }
        return this.order;
    }

    /** The shares that make the grad of `id`, in the order in which they were added to it:
     * [{from, local, grad, value}]. */
    partsOf(id) {
        if (!this.parts) {
            this.parts = this.linkParts(this.order);
        }
        const {starts, edges} = this.parts;
        const found = [];
        for (let i = starts[id]; i < starts[id + 1]; i++) {
            const from = edges[i] >> 1;
            const local = edges[i] & 1 ? this.secondLocal[from] : this.firstLocal[from];
            const grad = this.grad[from];
            found.push({from, local, grad, value: local * grad});
        }
        return found;
    }

    /** Every node's edges to what was made of it: edge 2 * user, or 2 * user + 1 for the second
     * child; those of node i stand from starts[i] to starts[i + 1], in the order of `users`. */
    linkParts(users) {
        const starts = new Int32Array(this.length + 2);
        const parents = users.filter((user) => this.first[user] >= 0);
        for (const user of parents) {
            starts[this.first[user] + 2]++;
            if (this.second[user] >= 0) {
                starts[this.second[user] + 2]++;
            }
        }
        for (let i = 2; i < starts.length; i++) {
            starts[i] += starts[i - 1];
        }
        const edges = new Int32Array(starts[starts.length - 1]);
        for (const user of parents) {
            edges[starts[this.first[user] + 1]++] = 2 * user;
            if (this.second[user] >= 0) {
                edges[starts[this.second[user] + 1]++] = 2 * user + 1;
            }
        }
        return {starts, edges};
    }

    /** The nodes that were made of `id`, whether the sweep passes them or not. */
    usersOf(id) {
        if (!this.users) {
            this.users = this.linkParts(Int32Array.from({length: this.length}, (_, id) => id));
        }
        const {starts, edges} = this.users;
        return [...new Set(Array.from(edges.subarray(starts[id], starts[id + 1]), (e) => e >> 1))];
    }

    childrenOf(id) {
        const found = [
            [this.first[id], this.firstLocal[id]],
            [this.second[id], this.secondLocal[id]],
        ];
        return found
            .filter(([child]) => child >= 0)
            .map(([child, local]) => ({
                id: child,
                data: this.data[child],
                grad: this.grad[child],
                local,
            }));
    }

    /** All that the tape knows of a node. */
    node(id) {
        return {
            id,
            operation: OPERATIONS[this.operation[id]],
            data: this.data[id],
            grad: this.grad[id],
            children: this.childrenOf(id),
            parts: this.partsOf(id),
            exponent: this.exponents.has(id) ? this.exponents.get(id) : null,
            users: this.usersOf(id),
        };
    }
}
