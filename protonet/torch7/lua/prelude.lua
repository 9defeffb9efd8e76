-- The environment of a definition. It is run once, with the hidden function of Python, in a state
-- that still has everything; definitions see only what `environment` has.
--
-- `python(operation, ...)` returns true and results, or false and a message; the third value says
-- that the message is the error of a function of the definition, which is kept here.

local python, settings = ...

local error, ipairs, next, pairs, rawget, rawset, select, setmetatable, tostring, type, unpack =
    error, ipairs, next, pairs, rawget, rawset, select, setmetatable, tostring, type, unpack
local getmetatable, loadstring, newproxy, setfenv, xpcall, pcall =
    getmetatable, loadstring, newproxy, setfenv, xpcall, pcall
local floor, find, format, gsub, match, rep, sub =
    math.floor, string.find, string.format, string.gsub, string.match, string.rep, string.sub
local clock, concat, getinfo, sethook = settings.clock, table.concat, debug.getinfo, debug.sethook

local bridge = {}

-- Positions: the innermost line of the definition.

local CHUNK = "=" .. settings.chunk
local PREFIX = settings.chunk .. ":"
local last_line, deadline = 0, clock() + settings.seconds

local function line()
    for level = 2, 200 do
        local info = getinfo(level, "Sl")
        if not info then
            return 0
        end
        if info.source == CHUNK and info.currentline > 0 then
            return info.currentline
        end
    end
    return 0
end

local function check_time()
    if clock() > deadline then
        error(format("the definition runs for more than %g seconds", settings.seconds), 0)
    end
end

local function watch()
    local info = getinfo(2, "Sl")
    if info and info.source == CHUNK then
        last_line = info.currentline
    end
    check_time()
end

function bridge.last_line()
    return last_line
end

-- An error's message with the line of the definition. Messages of this file lose theirs.
local function placed(message)
    if type(message) ~= "string" then
        bridge.error_line = line()
        return message
    end
    if sub(message, 1, #PREFIX) == PREFIX then
        return message
    end
    message = gsub(message, "^prelude:%d+: ", "")
    return PREFIX .. line() .. ": " .. message
end

local kept_error

local function finish(ok, ...)
    if ok then
        return ...
    end
    local message, is_kept = ...
    if is_kept then
        error(kept_error, 0)
    end
    error(placed(message), 0)
end

local function guarded(ok, ...)
    if not ok then
        kept_error = ...
        return false
    end
    return true, ...
end

-- Calls a function of the definition for Python.
function bridge.invoke(f, ...)
    local arguments, count = { ... }, select("#", ...)
    return guarded(xpcall(function()
        return f(unpack(arguments, 1, count))
    end, placed))
end

-- Values of Python: userdata that are nothing but names for them.

local values = setmetatable({}, { __mode = "k" })
local proxies = setmetatable({}, { __mode = "v" })
local identities, objects = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
local counted = 0

local function call(operation, ...)
    local arguments, count = { ... }, select("#", ...)
    for i = 1, count do
        local value = values[arguments[i]]
        if arguments[i] ~= nil and value ~= nil then
            arguments[i] = value
        end
    end
    return finish(python(operation, unpack(arguments, 1, count)))
end

local function identity(value)
    local found = identities[value]
    if not found then
        counted = counted + 1
        found = counted
        identities[value] = found
    end
    return found
end

-- What a value is: its kind, and for Python what it needs to know it again.
function bridge.describe(value)
    local made = values[value]
    if made ~= nil then
        return "value", made
    end
    local object = objects[value]
    if object then
        return "object", identity(value), object.typename, object.line
    end
    if type(value) == "function" then
        return "function", identity(value)
    end
    return type(value), identity(value)
end

local prototypes = {}

function bridge.proxy(made, key, kind)
    local found = proxies[key]
    if found == nil then
        found = newproxy(prototypes[kind])
        values[found] = made
        proxies[key] = found
    end
    return found
end

function bridge.keys(value)
    local keys, count = {}, 0
    for key in next, value do
        count = count + 1
        keys[count] = key
    end
    return keys, count
end

-- The numbers of the tables and modules at 1, 2, ...; 0 for other values.
function bridge.numbers(value)
    local numbers, count = {}, 0
    local each = rawget(value, 1)
    while each ~= nil do
        count = count + 1
        numbers[count] = type(each) == "table" and identity(each) or 0
        each = rawget(value, count + 1)
    end
    return numbers, count
end

function bridge.get(value, key)
    return rawget(value, key)
end

function bridge.set(value, key, new)
    rawset(value, key, new)
end

function bridge.new_table()
    return {}
end

function bridge.nothing()
    return function() end
end

-- Tensors, storages and traced tensors.

local methods = { tensor = {}, storage = {}, traced = {} }

local function arithmetic(sign)
    return function(one, two)
        return call("operate", sign, one, two)
    end
end

for kind, own in pairs(methods) do
    local proto = newproxy(true)
    local meta = getmetatable(proto)
    prototypes[kind] = proto
    for _, name in ipairs(settings.methods[kind]) do
        own[name] = function(...)
            return call(kind, name, ...)
        end
    end
    meta.__index = function(self, key)
        if type(key) == "string" then
            if own[key] == nil then
                bridge.missed_kind, bridge.missed = kind, key
            end
            return own[key]
        end
        return call("index", self, key)
    end
    meta.__newindex = function(self, key, value)
        call("assign", self, key, value)
    end
    meta.__len = function(self)
        return call("length", self)
    end
    meta.__add, meta.__sub = arithmetic("+"), arithmetic("-")
    meta.__mul, meta.__div = arithmetic("*"), arithmetic("/")
    meta.__unm = function(self)
        return call("operate", "neg", self)
    end
    meta.__tostring = function(self)
        return call("text", self)
    end
    meta.__concat = function(one, two)
        return tostring(one) .. tostring(two)
    end
    meta.__metatable = false
end

-- Modules: tables with their fields, whose methods are those of a class of Python.

local classes = {}

local function class_of(typename)
    local found = classes[typename]
    if found then
        return found
    end
    local own = {}
    for _, name in ipairs(call("methods of", typename)) do
        own[name] = function(...)
            return call("method", name, ...)
        end
    end
    found = {
        __index = function(self, key)
            if own[key] == nil and type(key) == "string" then
                bridge.missed_kind, bridge.missed = typename, key
            end
            return own[key]
        end,
        __call = function(self, ...)
            return call("call", self, ...)
        end,
        __sub = function(one, two)
            return call("connect", one, two)
        end,
        __unm = function(self)
            return call("connect", self)
        end,
        __tostring = function(self)
            return call("text", self)
        end,
        __concat = function(one, two)
            return tostring(one) .. tostring(two)
        end,
        __metatable = false,
    }
    classes[typename] = found
    return found
end

function bridge.new_object(typename, at)
    local made = setmetatable({}, class_of(typename))
    objects[made] = { typename = typename, line = at }
    return made, identity(made)
end

local function package(name)
    local constructors = {}
    return setmetatable({}, {
        __index = function(_, key)
            if type(key) ~= "string" then
                return nil
            end
            local typename = name .. "." .. key
            if constructors[key] == nil then
                if not call("has module", typename) then
                    bridge.missed_kind, bridge.missed = name, key
                    return nil
                end
                constructors[key] = function(...)
                    return call("construct", typename, line(), ...)
                end
            end
            return constructors[key]
        end,
    })
end

-- What definitions see.

local environment = {
    assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs,
    rawequal = rawequal, rawget = rawget, rawset = rawset, select = select,
    setmetatable = setmetatable, getmetatable = getmetatable, tonumber = tonumber,
    tostring = tostring, type = type, unpack = unpack, math = math, string = string,
    table = table, _VERSION = _VERSION,
}
environment._G = environment

string.dump = nil
table.unpack = unpack
table.pack = function(...)
    return { n = select("#", ...), ... }
end

function string.rep(text, count)
    if type(text) == "string" and type(count) == "number" and #text * count > settings.memory then
        error(format("not enough memory for a string of %g bytes", #text * count), 2)
    end
    if type(count) == "number" and count > 1e5 then  -- a loop of long strings has few instructions
        last_line = line()
        check_time()
    end
    return rep(text, count)
end

function environment.pcall(f, ...)
    local arguments, count = { ... }, select("#", ...)
    return xpcall(function()
        return f(unpack(arguments, 1, count))
    end, placed)
end

function environment.xpcall(f, handler)
    return xpcall(f, function(message)
        return handler(placed(message))
    end)
end

function environment.print(...)
    local parts = {}
    for i = 1, select("#", ...) do
        parts[i] = tostring((select(i, ...)))
    end
    call("print", concat(parts, "\t"))
end

function environment.collectgarbage(option)
    return option == "count" and collectgarbage("count") or 0
end

local function quiet() end

local torch = {}
for _, name in ipairs(settings.functions) do
    torch[name] = function(...)
        return call("function", name, ...)
    end
end
for _, name in ipairs(settings.makers) do
    torch[name] = function(...)
        return call("make", name, ...)
    end
end
for _, name in ipairs({ "setnumthreads", "setheaptracking", "tic", "updateerrorhandlers" }) do
    torch[name] = quiet
end
for _, name in ipairs({ "class", "load", "save", "Timer", "DiskFile", "MemoryFile" }) do
    torch[name] = function()
        call("refuse", "torch." .. name)
    end
end
torch.getnumthreads = function()
    return 1
end
torch.toc = torch.getnumthreads
setmetatable(torch, {
    __index = function(_, key)
        bridge.missed_kind, bridge.missed = "torch", key
    end,
})
environment.torch = torch
environment.nn = package("nn")

-- Tables of connections, pairs of input and output planes, for SpatialConvolutionMap.
environment.nn.tables = {
    full = function(inputs, outputs)
        local rows = {}
        for output = 1, outputs do
            for input = 1, inputs do
                rows[#rows + 1] = { input, output }
            end
        end
        return torch.Tensor(rows)
    end,
    oneToOne = function(planes)
        local rows = {}
        for plane = 1, planes do
            rows[plane] = { plane, plane }
        end
        return torch.Tensor(rows)
    end,
    random = function(inputs, outputs, each)
        -- whole chunks of a permutation, one for each output; then of the next permutation
        local rows, chunks, chunk = {}, math.floor(inputs / each), 0
        local order = torch.randperm(inputs)
        for output = 1, outputs do
            for place = 1, each do
                rows[#rows + 1] = { order[chunk * each + place], output }
            end
            chunk = chunk + 1
            if chunk == chunks then
                order, chunk = torch.randperm(inputs), 0
            end
        end
        return torch.Tensor(rows)
    end,
}

local devices = {
    getDeviceCount = function()
        return settings.ngpus
    end,
    getDevice = function()
        return 1
    end,
}
for _, name in ipairs({ "setDevice", "synchronize", "manualSeed", "manualSeedAll", "reserveStreams" }) do
    devices[name] = quiet
end

local cudnn = package("cudnn")
cudnn.version = 5110  -- definitions ask whether convolutions without bias are there
cudnn.convert = function(net)
    return net
end

local logmessage = {
    display = function(_, text)
        call("print", tostring(text))
    end,
}

local nngraph = {
    setDebug = quiet, annotateNodes = quiet,
    nest = function(...)
        return call("nest", ...)
    end,
}

-- Arguments by place, or by name in one table.
local function named(names, ...)
    local first = ...
    if type(first) == "table" then
        return first
    end
    local found = {}
    for place, name in ipairs(names) do
        found[name] = (select(place, ...))
    end
    return found
end

-- The kernels of the library image, for local normalization.
local image = {}

function image.gaussian1D(...)
    local given = named({ "size", "sigma", "amplitude", "normalize", "mean" }, ...)
    local size = given.size or 3
    local width, middle = (given.sigma or 0.25) * size, (given.mean or 0.5) * size + 0.5
    local kernel = torch.Tensor(size)
    for i = 1, size do
        kernel[i] = (given.amplitude or 1) * math.exp(-((i - middle) / width) ^ 2 / 2)
    end
    return given.normalize and kernel:div(kernel:sum()) or kernel
end

function image.gaussian(...)
    local given = named({ "size", "sigma", "amplitude", "normalize", "width", "height",
        "sigma_horz", "sigma_vert", "mean_horz", "mean_vert" }, ...)
    local size, sigma = given.size or 3, given.sigma or 0.25
    local width, height = given.width or size, given.height or size
    local down = image.gaussian1D(height, given.sigma_vert or sigma, given.amplitude, false,
        given.mean_vert)
    local across = image.gaussian1D(width, given.sigma_horz or sigma, 1, false, given.mean_horz)
    local kernel = torch.ger(down, across)
    return given.normalize and kernel:div(kernel:sum()) or kernel
end

local libraries = {
    torch = { torch = torch }, nn = { nn = environment.nn }, cunn = { cutorch = devices },
    cudnn = { cudnn = cudnn, cutorch = devices }, cutorch = { cutorch = devices }, dpnn = {},
    rnn = {}, nnx = {}, nngraph = { nngraph = nngraph, graph = { dot = quiet } }, optim = { optim = {} }, paths = { paths = {} },
    image = { image = image }, xlua = { xlua = {} }, sys = { sys = {} }, math = {}, string = {},
    table = {}, logmessage = { logmessage = logmessage },
}
environment.optim, environment.logmessage = libraries.optim.optim, logmessage

function environment.require(name)
    local library = type(name) == "string" and rawget(libraries, name)
    if not library then
        call("no library", name)
    end
    for key, value in pairs(library) do
        environment[key] = value
    end
    return environment[name] or true
end

function bridge.libraries()
    local names = {}
    for name in pairs(libraries) do
        names[#names + 1] = name
    end
    return names
end

function bridge.globals()
    local names = {}
    for name in pairs(environment) do
        names[#names + 1] = name
    end
    return names
end

-- Runs a text; its value is what Python calls next.
function bridge.load(text)
    local chunk, message = loadstring(text, CHUNK)
    if not chunk then
        return false, message
    end
    setfenv(chunk, environment)
    sethook(watch, "", 1000)
    return true, chunk
end

function bridge.run(f, ...)
    local arguments, count = { ... }, select("#", ...)
    return xpcall(function()
        return f(unpack(arguments, 1, count))
    end, placed)
end

function bridge.lines_of(f)
    local info = getinfo(f, "S")
    if info.source ~= CHUNK then
        return 0, 0
    end
    return info.linedefined, info.lastlinedefined
end

return bridge
