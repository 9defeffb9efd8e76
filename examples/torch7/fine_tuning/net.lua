-- LeNet for ten digits. From weights that were trained so, it learns to tell odd digits from even
-- ones: `fineTuneHook` changes the trained model.

local DIGITS = 10

local function lenet(channels)
    local net = nn.Sequential()
    net:add(nn.MulConstant(1 / 256))
    net:add(nn.SpatialConvolution(channels, 20, 5, 5)):add(nn.SpatialMaxPooling(2, 2, 2, 2))
    net:add(nn.SpatialConvolution(20, 50, 5, 5)):add(nn.SpatialMaxPooling(2, 2, 2, 2))
    net:add(nn.View(50 * 4 * 4):setNumInputDims(3))
    net:add(nn.Linear(50 * 4 * 4, 500)):add(nn.ReLU())
    return net:add(nn.Linear(500, DIGITS)):add(nn.LogSoftMax())
end

-- The weights of a module stay as they are.
local function freeze(module)
    module.accGradParameters = function() end
end

return function(params)
    local shape = params.inputShape
    assert(not shape or shape[2] == 28 and shape[3] == 28, 'expected images of 28 x 28')
    return {
        model = lenet(shape and shape[1] or 1),
        loss = nn.ClassNLLCriterion(),
        trainBatchSize = 64,
        validationBatchSize = 32,
        fineTuneHook = function(net)
            for _, convolution in ipairs(net:findModules('nn.SpatialConvolution')) do
                freeze(convolution)
            end
            net:remove(9)                     -- the layer of ten digits,
            net:insert(nn.Linear(500, 2), 9)  -- and one of two classes
            return net
        end,
    }
end
