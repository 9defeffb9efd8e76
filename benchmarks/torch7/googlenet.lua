-- The network of examples/prototxt/googlenet, module by module.

local function convolution(from, to, size, padding, stride)
    local net = nn.Sequential()
    net:add(nn.SpatialConvolution(from, to, size, size, stride, stride, padding, padding))
    return net:add(nn.ReLU(true))
end

local function inception(from, one, three, five, pooled)
    local branches = nn.Concat(2)
    branches:add(convolution(from, one, 1))
    branches:add(nn.Sequential()
        :add(convolution(from, three[1], 1)):add(convolution(three[1], three[2], 3, 1)))
    branches:add(nn.Sequential()
        :add(convolution(from, five[1], 1)):add(convolution(five[1], five[2], 5, 2)))
    branches:add(nn.Sequential()
        :add(nn.SpatialMaxPooling(3, 3, 1, 1, 1, 1)):add(convolution(from, pooled, 1)))
    return branches
end

local function pooling()
    return nn.SpatialMaxPooling(3, 3, 2, 2):ceil()
end

local function auxiliary(from)
    local net = nn.Sequential():add(nn.SpatialAveragePooling(5, 5, 3, 3):ceil())
    net:add(convolution(from, 128, 1)):add(nn.View(2048):setNumInputDims(3))
    net:add(nn.Linear(2048, 1024)):add(nn.ReLU(true)):add(nn.Dropout(0.7))
    return net:add(nn.Linear(1024, 1000)):add(nn.LogSoftMax())
end

-- `later` behind the features, beside an auxiliary classifier.
local function with_auxiliary(from, later)
    return nn.ConcatTable():add(later):add(auxiliary(from))
end

return function()
    local first = nn.Sequential()
    first:add(convolution(3, 64, 7, 3, 2)):add(pooling())
    first:add(nn.SpatialCrossMapLRN(5, 0.0001, 0.75))
    first:add(convolution(64, 64, 1)):add(convolution(64, 192, 3, 1))
    first:add(nn.SpatialCrossMapLRN(5, 0.0001, 0.75)):add(pooling())
    first:add(inception(192, 64, {96, 128}, {16, 32}, 32))
    first:add(inception(256, 128, {128, 192}, {32, 96}, 64)):add(pooling())
    first:add(inception(480, 192, {96, 208}, {16, 48}, 64))

    local last = nn.Sequential()
    last:add(inception(528, 256, {160, 320}, {32, 128}, 128)):add(pooling())
    last:add(inception(832, 256, {160, 320}, {32, 128}, 128))
    last:add(inception(832, 384, {192, 384}, {48, 128}, 128))
    last:add(nn.SpatialAveragePooling(7, 7, 1, 1)):add(nn.View(1024):setNumInputDims(3))
    last:add(nn.Dropout(0.4)):add(nn.Linear(1024, 1000)):add(nn.LogSoftMax())

    local middle = nn.Sequential()
    middle:add(inception(512, 160, {112, 224}, {24, 64}, 64))
    middle:add(inception(512, 128, {128, 256}, {24, 64}, 64))
    middle:add(inception(512, 112, {144, 288}, {32, 64}, 64))
    middle:add(with_auxiliary(528, last))

    local model = nn.Sequential():add(first):add(with_auxiliary(512, middle)):add(nn.FlattenTable())
    local loss = nn.ParallelCriterion(true):add(nn.ClassNLLCriterion())
    loss:add(nn.ClassNLLCriterion(), 0.3):add(nn.ClassNLLCriterion(), 0.3)
    return { model = model, loss = loss }
end
